from django.views import View


class LabelView(View):
    pass
