from django.views import View


class LeasesView(View):
    pass
