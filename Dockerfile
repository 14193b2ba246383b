# One stage: every dependency comes as a wheel, so no compiler has to be left behind.
FROM python:3.13-slim

ENV PORT=8080 PYTHONUNBUFFERED=1

# The bot owns nothing but this folder: the SQLite database, unless DATABASE_URL names another.
RUN install --directory --owner=10001 --group=10001 --mode=700 /data

WORKDIR /src
COPY requirements.lock .
RUN pip install --no-cache-dir --require-hashes -r requirements.lock
COPY . .
# setuptools is in the lock: a build environment of its own would fetch one without a hash.
RUN pip install --no-cache-dir --no-deps --no-build-isolation . && rm -rf /src

WORKDIR /data
VOLUME /data
USER 10001:10001

EXPOSE 8080
# http.client, because urllib follows the proxy settings that are meant for Slack and Microsoft.
HEALTHCHECK --interval=30s --timeout=5s --start-period=60s CMD ["python", "-c", "import http.client, os, sys; bot = http.client.HTTPConnection('127.0.0.1', int(os.environ['PORT']), timeout=4); bot.request('GET', '/healthz'); sys.exit(bot.getresponse().status != 200)"]

# The exec form: SIGTERM reaches the bot, which then ends by itself within 30 seconds.
STOPSIGNAL SIGTERM
ENTRYPOINT ["aad-setup"]
CMD ["serve"]
