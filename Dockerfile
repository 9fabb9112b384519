# The image of a GPU worker; the same image runs on the CPU where no GPU is lent.
#
#   docker build -t stylize .
#   docker run --gpus all --user "$(id -u):$(id -g)" -v "$PWD:/work" -w /work stylize stylize run manifest.yaml
#
# Any user will do; as you, it makes output that is yours. Without `--user` it has no rights in your folders.
#
# No CUDA base image: PyTorch's own wheels bring the CUDA runtime libraries. The host brings the driver and the
# NVIDIA container toolkit. Whatever follows the image's name is run: `stylize ...`, `prefect worker start ...`, or what
# a work pool says, `prefect flow-run execute`. docs/fleet.md has it on clusters.
FROM python:3.11-slim AS stylize

LABEL org.opencontainers.image.title="stylize" \
      org.opencontainers.image.description="Bulk neural style transfer that an operations team can trust" \
      org.opencontainers.image.licenses="MIT AND CC-BY-4.0"

# tini hands signals to the command, so that `docker stop` ends a run in order and the next one resumes it.
RUN apt-get update \
 && apt-get install --yes --no-install-recommends tini \
 && rm -rf /var/lib/apt/lists/*

WORKDIR /srv/stylize

# The dependencies have a layer of their own (about 5 GB): it is built again only when they change, not the code.
COPY pyproject.toml constraints.txt ./
RUN python -c "import tomllib; project = tomllib.load(open('pyproject.toml', 'rb'))['project']; \
               print(*project['dependencies'], sep='\n')" > requirements.txt \
 && pip install --no-cache-dir -c constraints.txt setuptools \
 && pip install --no-cache-dir -c constraints.txt -r requirements.txt

# The source stays beside the installed package: deployments name their flow by its path (prefect.yaml).
COPY README.md LICENSE NOTICE.md ./
COPY stylize_core ./stylize_core
COPY flows ./flows
COPY stylize_launcher.py ./
COPY manifests ./manifests
COPY prefect.yaml ./
RUN pip install --no-cache-dir --no-deps --no-build-isolation -c constraints.txt .

# A container runtime that reads these lends the GPUs without further options.
ENV NVIDIA_VISIBLE_DEVICES=all \
    NVIDIA_DRIVER_CAPABILITIES=compute,utility \
    PYTHONUNBUFFERED=1 \
    TORCH_HOME=/var/cache/stylize/torch

# Downloaded weights outlive the container in this volume. Credentials come at run time, never into the image.
RUN useradd --create-home --uid 10001 stylize \
 && mkdir -p /var/cache/stylize/torch \
 && chown -R stylize:stylize /var/cache/stylize /srv/stylize \
 && chmod 1777 /var/cache/stylize/torch
VOLUME /var/cache/stylize/torch
USER stylize

ENTRYPOINT ["tini", "--"]
CMD ["stylize", "--help"]

# SkyPilot makes a task's container its own machine and installs an ssh server there, for which it has to be root:
#
#   docker build --target skypilot .
FROM stylize AS skypilot
USER root

# What is built where no target is named.
FROM stylize
