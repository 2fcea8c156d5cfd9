# To be sourced: makes a certificate for one cluster of dask, and lets scheduler, workers and driver that are started
# from here talk to each other alone. The folder must be one that all nodes see and nobody else reads.
DASK_KEYS=$(mktemp -d "${DASK_KEYS_IN:-$HOME}/.dask-keys-XXXXXXXX") || return 1
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 30 -subj "/CN=dask" \
    -keyout "$DASK_KEYS/key.pem" -out "$DASK_KEYS/certificate.pem" 2>/dev/null || return 1
export DASK_KEYS
export DASK_DISTRIBUTED__COMM__REQUIRE_ENCRYPTION=true
export DASK_DISTRIBUTED__COMM__TLS__CA_FILE="$DASK_KEYS/certificate.pem"
for role in SCHEDULER WORKER CLIENT; do
    export "DASK_DISTRIBUTED__COMM__TLS__${role}__CERT=$DASK_KEYS/certificate.pem"
    export "DASK_DISTRIBUTED__COMM__TLS__${role}__KEY=$DASK_KEYS/key.pem"
done
