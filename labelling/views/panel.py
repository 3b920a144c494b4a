from django.views import View


class PanelView(View):
    pass
