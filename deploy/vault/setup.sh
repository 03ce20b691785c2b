#!/bin/sh
# Lets the daemon log in at a Vault by AppRole. Rights come from `stratum vault plan`, before it.
# Prints the role id; leaves a wrapped secret id in the file that is named. Needs VAULT_ADDR and
# VAULT_TOKEN of somebody who may do this. PROGRAM=bao for OpenBao.
set -eu
file=${1:?where to leave the wrapped secret id}
program=${PROGRAM:-vault}

"$program" auth list | grep -q '^approle/' || "$program" auth enable approle >&2
"$program" write auth/approle/role/stratum \
  token_policies=stratum-orchestrator \
  token_no_default_policy=true \
  token_ttl=1h \
  token_max_ttl=24h \
  secret_id_num_uses=0 >/dev/null
umask 077
"$program" write -wrap-ttl=10m -field=wrapping_token -f auth/approle/role/stratum/secret-id >"$file"
"$program" read -field=role_id auth/approle/role/stratum/role-id
