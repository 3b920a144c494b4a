import os

from django.core.wsgi import get_wsgi_application
from django.urls import get_resolver

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
application = get_wsgi_application()
# Django would load the pages, and what they stand on, in the first request, which would wait for it.
LOADED = len(get_resolver().url_patterns)
