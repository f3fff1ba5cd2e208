#!/usr/bin/env bash
# The two logins of InfluxDB 2 for requests of version 1: `telegraf` may only write, `grafana` may only read.
#
# The image runs this once, when it sets up an empty volume. Run it again after a password in .env has changed:
#
#   docker compose exec influxdb bash /docker-entrypoint-initdb.d/logins.sh
#
# A login that is there gets the password of the environment, one that is missing is made. Passwords go through
# standard input, because every user of the host can read the arguments of a program. Database cvmfs needs nothing:
# InfluxDB 2 takes the bucket of that name for it.
set -euo pipefail

: "${INFLUXDB_TELEGRAF_PASSWORD:?must hold the password of login telegraf}"
: "${INFLUXDB_GRAFANA_PASSWORD:?must hold the password of login grafana}"
bucket=${DOCKER_INFLUXDB_INIT_BUCKET:?must name the bucket}

complain() {
  echo "logins.sh: $*" >&2
  exit 1
}

bucket_id() {
  influx bucket list --name "$bucket" --hide-headers | cut -f 1
}

login() {
  local name=$1 right=$2 password=$3 refusal
  if refusal=$(influx v1 auth set-password --username "$name" <<<"$password" 2>&1); then
    echo "logins.sh: login $name has the password of the environment"
    return
  fi
  [[ $refusal == *"could not find"* ]] || complain "login $name: $refusal"
  influx v1 auth create --username "$name" "--$right-bucket" "$id" --description "$name may only $right $bucket" \
    <<<"$password" >/dev/null
  echo "logins.sh: login $name made, may only $right"
}

id=$(bucket_id)
[[ $id =~ ^[0-9a-f]{16}$ ]] || complain "InfluxDB has no bucket $bucket"
login telegraf write "$INFLUXDB_TELEGRAF_PASSWORD"
login grafana read "$INFLUXDB_GRAFANA_PASSWORD"
