# One image for every process: `manage.py serve NAME` (docker-compose.yml shows which).
FROM python:3.11-slim

ENV PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 PIP_NO_CACHE_DIR=1 QUERN_DATA_DIR=/data
RUN useradd --create-home --uid 10001 quern && install -d -o quern -g quern /data /data/storage
WORKDIR /app

COPY requirements.txt ./
RUN pip install --disable-pip-version-check -r requirements.txt
COPY manage.py ./
COPY config config
COPY labelling labelling
COPY learning learning
COPY serving serving
COPY templates templates

USER quern
# Nothing of these survives the step: the static files need settings, not a database.
RUN QUERN_SECRET_KEY=only-while-building DATABASE_URL=postgresql:///none python manage.py collectstatic --no-input

EXPOSE 8000
# Redirects to HTTPS, where the proxy in front ends it, do not touch /health/.
HEALTHCHECK --interval=10s --timeout=6s --start-period=60s --retries=3 \
    CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8000/health/ready', timeout=5)"]
CMD ["python", "manage.py", "serve", "web", "--host", "0.0.0.0", "--port", "8000", "--front"]
