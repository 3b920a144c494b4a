from django.views import View


class ImportsView(View):
    pass


class ImportView(View):
    pass
