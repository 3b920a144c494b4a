from django.views import View


class AnnotationsView(View):
    pass


class UndoView(View):
    pass
