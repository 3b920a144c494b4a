from django.views import View


class ItemImageView(View):
    pass
