# Everything runs in a virtual environment that the targets make themselves.
# It is made anew when it is broken, has the wrong Python or was moved, and
# brought up to date when requirements.txt or pyproject.toml change.

VENV = .venv
# An interpreter to use instead of the first one that fits:
#   make test PYTHON=/path/to/python3.12
PYTHON =
# More flags for the pretraining of the demo, e.g. DEMO_FLAGS=--train_steps=30,
# and for its fine-tunings.
DEMO_FLAGS =
FINETUNE_FLAGS =
# Where the demo writes, if not to runs/demo.
DEMO_WORKDIR =
DEMO = $(or $(DEMO_WORKDIR),runs/demo)
# The tour is the demo, and what comes after it: in the same folder, so that
# what one of them has trained is there for the other. More flags for its
# pretraining.
TOUR_FLAGS =
TOUR = $(DEMO)/tour
# The run whose model is served, if not the demo's; the server's port, and more
# flags of it.
SERVE_RUN =
SERVE_PORT = 8501
SERVE_FLAGS =
SERVED = $(or $(SERVE_RUN),$(DEMO))
# Where held-out images of the run are written, which the page opens on. They
# may be private: `make serve SERVE_SAMPLES=` writes and shows none.
SERVE_SAMPLES = $(SERVED)/samples

VENV_PYTHON = $(VENV)/bin/python
STAMP = $(VENV)/.installed
CANDIDATES = python3.11 python3.10 python3.12 python3.13 python3 python
# Where none of them fits, any Python installs uv here, and uv fetches one.
# Systems that let nobody install into their own Python allow this.
UV_VENV = .uv

# Python code, run rather than looked up: a launcher may exist and still fail,
# and some systems ship Python without `venv`.
FITS = import sys, venv, ensurepip; \
  sys.exit(not (3, 10) <= sys.version_info[:2] <= (3, 13))
CAN_MAKE_VENV = import venv, ensurepip
VERSION = import sys; print("%d.%d" % sys.version_info[:2])

.PHONY: help demo tour compress serve test lint audit clean environment

help:  ## Show this list (the default)
	@echo "make TARGET, where TARGET is one of:"
	@sed -n 's/^\([a-z]*\):.*## \(.*\)/  \1|\2/p' Makefile | \
	  awk -F'|' '{printf "%-10s %s\n", $$1, $$2}'

PRETRAIN = $(VENV_PYTHON) experiments/pretrain.py $(strip \
  $(if $(DEMO_FLAGS)$(DEMO_WORKDIR),--flagfile=demo.flags) \
  $(if $(DEMO_WORKDIR),--workdir=$(DEMO_WORKDIR)) $(DEMO_FLAGS))
FINETUNE = $(VENV_PYTHON) experiments/finetune.py \
  $(strip --flagfile=digits_finetune.flags $(FINETUNE_FLAGS))
# What a stage does, and where the picture of it lies.
STAGE = @printf '\n=== %s: %s\n'

demo: environment  ## Pretrain a small ViT on digits, evaluate and fine-tune it
	$(STAGE) 'Pretrain, without labels' '$(DEMO)/reconstructions'
	$(PRETRAIN)
	$(STAGE) 'Probe the frozen features' '$(DEMO)/evaluation.png'
	$(VENV_PYTHON) experiments/evaluate.py --workdir=$(DEMO)
	$(STAGE) 'Fine-tune with 100 labels' '$(DEMO)/finetuned/confusion_matrix.png'
	$(FINETUNE) --pretrained=$(DEMO) --workdir=$(DEMO)/finetuned
	$(STAGE) 'The same from scratch' '$(DEMO)/from_scratch/confusion_matrix.png'
	$(FINETUNE) --pretrained= --workdir=$(DEMO)/from_scratch
	$(STAGE) 'Compare the two' '$(DEMO)/comparison.png'
	$(VENV_PYTHON) experiments/compare.py $(DEMO)/finetuned \
	  $(DEMO)/from_scratch --chart=$(DEMO)/comparison.png

tour: DEMO_FLAGS = $(TOUR_FLAGS)
tour: demo  ## The demo, then draw what its network reconstructs and sees
	$(STAGE) 'Write held-out digits as files' '$(TOUR)/digits'
	$(VENV_PYTHON) experiments/write_images.py --dataset=builtin:digits \
	  --split=test --image_dir=$(TOUR)/digits
	$(STAGE) 'Reconstruct four of them' '$(TOUR)/reconstruction.png'
	$(VENV_PYTHON) experiments/reconstruct.py $(TOUR)/digits/000[0-3]_*.png \
	  --run=$(DEMO) --output=$(TOUR)/reconstruction.png
	$(STAGE) 'Draw features, attention and nearest digits' '$(TOUR)/*.png'
	$(VENV_PYTHON) experiments/feature_pictures.py \
	  $(TOUR)/digits/000[0-3]_*.png --run=$(DEMO) --output_dir=$(TOUR) \
	  --kind=pca,attention,neighbours --folder=$(TOUR)/digits \
	  --num_neighbours=6
	$(STAGE) 'All pictures' '$(DEMO)'
	@ls $(DEMO)/reconstructions/*.png $(DEMO)/evaluation.png \
	  $(DEMO)/finetuned/confusion_matrix.png \
	  $(DEMO)/from_scratch/confusion_matrix.png $(DEMO)/comparison.png \
	  $(TOUR)/reconstruction.png $(TOUR)/pca.png $(TOUR)/attention.png \
	  $(TOUR)/neighbours.png

# The network that tells digits apart, which the demo leaves, pruned and
# quantised. What is there already is not made again.
HAS_FINETUNED = $(wildcard $(DEMO)/finetuned/checkpoints/*)
compress: environment  ## Make the demo's fine-tuned network smaller
	$(if $(HAS_FINETUNED),,$(STAGE) 'Pretrain, without labels' \
	  '$(DEMO)/reconstructions')
	$(if $(HAS_FINETUNED),,$(PRETRAIN))
	$(if $(HAS_FINETUNED),,$(STAGE) 'Fine-tune with 100 labels' \
	  '$(DEMO)/finetuned/confusion_matrix.png')
	$(if $(HAS_FINETUNED),,$(FINETUNE) --pretrained=$(DEMO) \
	  --workdir=$(DEMO)/finetuned)
	$(STAGE) 'Prune it, and quantise what is left' \
	  '$(DEMO)/finetuned/compressed/chain.png'
	$(VENV_PYTHON) experiments/compress.py --flagfile=digits_compress.flags \
	  --run=$(DEMO)/finetuned

# What is there already is not made again. A picture goes through a pipe: it is
# too long for an argument.
SERVE_URL = http://127.0.0.1:$(SERVE_PORT)/v1/models/default:predict
SAMPLES = $(if $(SERVE_SAMPLES),$(SERVE_SAMPLES)/*.png)
SHOW_SAMPLES = $(if $(SERVE_SAMPLES),$$(ls $(SAMPLES) >/dev/null 2>&1 && \
  echo --sample_dir=$(SERVE_SAMPLES)))
serve: environment  ## Serve a run's network, and print a curl command
	$(if $(or $(SERVE_RUN),$(wildcard $(DEMO)/checkpoints/*)),, \
	  $(STAGE) 'Pretrain, without labels' '$(DEMO)/reconstructions')
	$(if $(or $(SERVE_RUN),$(wildcard $(DEMO)/checkpoints/*)),,$(PRETRAIN))
	$(STAGE) 'Export the network, where the run has gone on' '$(SERVED)/export'
	$(VENV_PYTHON) experiments/export.py --run=$(SERVED) --skip_if_current
	$(if $(and $(SERVE_SAMPLES),$(if $(wildcard $(SAMPLES)),,none)), \
	  $(STAGE) 'Write held-out images for the page' '$(SERVE_SAMPLES)')
	$(if $(and $(SERVE_SAMPLES),$(if $(wildcard $(SAMPLES)),,none)), \
	  $(VENV_PYTHON) experiments/write_images.py --run=$(SERVED) \
	  --num_images=24 --largest_side=512 --image_dir=$(SERVE_SAMPLES) || \
	  echo 'The page shows photographs and digits instead.')
	$(STAGE) 'Serve it, until Ctrl-C' '$(SERVE_URL)'
	@image=$$(ls $(or $(SAMPLES),none) 2>/dev/null | head -n 1); \
	  printf '%s\n' '' 'The features of an image, from another terminal:' '' \
	  "  (printf '{\"instances\": [{\"b64\": \"'; \\" \
	  "    base64 < $${image:-photo.jpg} | tr -d '\\n'; \\" \
	  "    printf '\"}]}') | curl -d @- $(SERVE_URL)" '' \
	  'The same in a browser: http://127.0.0.1:$(SERVE_PORT)/' ''
	@$(VENV_PYTHON) serving/serve.py $(strip $(SERVED)/export \
	  --rest_api_port=$(SERVE_PORT) $(SHOW_SAMPLES) $(SERVE_FLAGS))

# Two processes, each with the tests of whole files: most tests wait for
# Python, not for TensorFlow's threads.
test: environment  ## Run the tests that take seconds
	$(VENV_PYTHON) -m pytest -m "not slow" -n 2 --dist loadfile

lint: environment  ## Check style and formatting
	$(VENV_PYTHON) -m ruff check .
	$(VENV_PYTHON) -m ruff format --check .

audit: environment  ## Look the installed packages up among known advisories
	$(VENV_PYTHON) .ci/audit.py

clean:  ## Remove the environment and caches; keep runs/
	rm -rf $(VENV) $(UV_VENV) build dist *.egg-info
	rm -rf .pytest_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# The stamp holds the directory it was made in, so a moved or copied project
# does not go on using the old one.
environment:
	@test -z "$(PYTHON)" || $(PYTHON) -c '$(FITS)' >/dev/null 2>&1 || { \
	  echo "PYTHON must be a Python 3.10 to 3.13 that can make a virtual" \
	    "environment. Received: $(PYTHON)." >&2; \
	  exit 1; \
	}
	@test "$$(cat $(STAMP) 2>/dev/null)" = "$(CURDIR)" && \
	  $(VENV_PYTHON) -c '$(FITS)' >/dev/null 2>&1 || rm -rf $(VENV)
	@test -z "$(PYTHON)" || test ! -e $(VENV) || \
	  test "$$($(PYTHON) -c '$(VERSION)')" = \
	    "$$($(VENV_PYTHON) -c '$(VERSION)')" || rm -rf $(VENV)
	@$(MAKE) --silent $(STAMP)

# No stamp means no environment, or one whose installation was interrupted.
$(STAMP): requirements.txt pyproject.toml
	@test -e $(STAMP) || { \
	  rm -rf $(VENV); \
	  for python in $(or $(PYTHON),$(CANDIDATES)); do \
	    if $$python -c '$(FITS)' >/dev/null 2>&1; then \
	      echo "Making $(VENV) with $$python ..."; \
	      exec $$python -m venv $(VENV); \
	    fi; \
	  done; \
	  uv=$$(command -v uv) || for python in python3 python; do \
	    if $$python -c '$(CAN_MAKE_VENV)' >/dev/null 2>&1; then \
	      echo "Installing uv into $(UV_VENV) with $$python ..."; \
	      rm -rf $(UV_VENV); \
	      $$python -m venv $(UV_VENV) >/dev/null 2>&1 && \
	        $(UV_VENV)/bin/python -m pip install -qq uv && \
	        uv=$(UV_VENV)/bin/uv && break; \
	    fi; \
	  done; \
	  if test -n "$$uv"; then \
	    echo "Making $(VENV) with uv ..."; \
	    $$uv venv --quiet --python 3.11 $(VENV) && exit; \
	  fi; \
	  echo "No Python 3.10 to 3.13 that can make a virtual environment was" \
	    "found (tried: $(CANDIDATES)), and uv could not fetch one." \
	    "Python 3.14 is too new: tf-keras needs a TensorFlow below 2.22," \
	    "which has no wheels for it." >&2; \
	  echo "Type \`sudo apt install python3-venv\` on Debian or Ubuntu, or" \
	    "\`brew install python@3.11\` on macOS, and run make again. Or name" \
	    "a Python: \`make PYTHON=/path/to/python3.12 ...\`." >&2; \
	  exit 1; \
	}
	@echo "Installing into $(VENV) (a few minutes the first time) ..."
	@if $(VENV_PYTHON) -m pip --version >/dev/null 2>&1; then \
	  $(VENV_PYTHON) -m pip install -qq --disable-pip-version-check \
	    -r requirements.txt && $(VENV_PYTHON) -m pip check; \
	else \
	  uv=$$(command -v uv || echo $(UV_VENV)/bin/uv); \
	  $$uv pip install --quiet --python $(VENV_PYTHON) -r requirements.txt && \
	    $$uv pip check --python $(VENV_PYTHON); \
	fi
	@echo "$(CURDIR)" > $(STAMP)
