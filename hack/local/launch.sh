# Sourced by hack/up and its siblings. Brings the npm packages to what package-lock.json says, then becomes Node 26, which
# comes with them.

say() { printf '%s\n' "$*" >&2; }
fail() { say "$*"; exit 1; }

# launch SCRIPT ARGUMENT… : run a TypeScript file of hack/ with the project's own Node.
launch() {
  cd "$(dirname "${BASH_SOURCE[0]}")/../.." || exit 1
  install_packages
  local node
  node=$(find_node) || fail "No Node 26 for this platform came from npm, and the node on the PATH is older. Install Node 26 or newer: https://nodejs.org/"
  exec "$node" "hack/$1" "${@:2}"
}

# npm removes node_modules before it installs, so the copy of the lock file in it is there only after a complete install.
install_packages() {
  local installed=node_modules/.installed-package-lock.json
  cmp -s package-lock.json "$installed" && return
  command -v node >/dev/null || fail "Node.js is needed to start and is not here. Install Node 20 or newer, with npm: https://nodejs.org/"
  command -v npm >/dev/null || fail "npm is needed to start and is not here. It comes with Node.js: https://nodejs.org/"
  [ "$(major node)" -ge 20 ] || fail "Node $(node --version) is too old to start. Install Node 20 or newer: https://nodejs.org/"
  say "Installing the npm packages, Node 26 among them …"
  local started=$SECONDS
  # No package's script is needed, so none is run.
  npm ci --ignore-scripts --no-audit --no-fund --loglevel=error >&2 || fail "npm ci failed; what it said is above."
  cp package-lock.json "$installed"
  say "✓ npm packages · $((SECONDS - started)) s"
}

find_node() {
  local candidate
  for candidate in node_modules/.bin/node node; do
    if [ "$(major "$candidate")" -ge 26 ]; then
      command -v "$candidate"
      return
    fi
  done
  return 1
}

# The major version of a Node, 0 when it does not run here.
major() {
  local version
  version=$("$1" --version 2>/dev/null) || version=v0
  version=${version#v}
  printf '%s' "${version%%.*}"
}
