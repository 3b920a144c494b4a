from django.views import View


class MembersView(View):
    pass
