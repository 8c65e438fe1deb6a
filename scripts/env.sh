# What all scripts share; to be sourced. Everything built or fetched is kept outside the clone.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
EIDER_CACHE="${EIDER_CACHE:-$HOME/.cache/eider}"
export EIDER_CACHE
export CARGO_TARGET_DIR="${CARGO_TARGET_DIR:-$EIDER_CACHE/target}"
export CARGO_BUILD_JOBS="${CARGO_BUILD_JOBS:-2}"
# The local, MongoDB-compatible database; a pre-release, so its version is given in full.
SECANTUS_VERSION=0.5.3-beta.196
SECANTUS_ROOT="$EIDER_CACHE/secantus-$SECANTUS_VERSION"
export EIDER_SECANTUSD="${EIDER_SECANTUSD:-$SECANTUS_ROOT/bin/secantusd-rs}"
NODE_TOOLS="$EIDER_CACHE/node"
export NODE_PATH="$NODE_TOOLS/node_modules"
PYTHON_TOOLS="$EIDER_CACHE/python"
export EIDER_TEST_PYTHON="$PYTHON_TOOLS/bin/python"
SPAMASSASSIN="$EIDER_CACHE/spamassassin"
say() { printf '== %s\n' "$*"; }
