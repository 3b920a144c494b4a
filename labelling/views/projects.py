from django.views import View


class ProjectsView(View):
    pass


class ProjectNewView(View):
    pass


class ProjectView(View):
    pass


class ProjectSettingsView(View):
    pass
