# What the scripts of this folder share: another project's client tests, run unmodified against `sluice up`.
#
# Each runs in a network namespace of its own, where the broker has port 9092, as these tests expect it, whatever the machine has there.
# What is downloaded and built is kept under ~/.cache/sluice-peers. A run leaves $results/CLIENT.tsv behind, a line for each test: client, version,
# test, outcome (passed, failed, skipped), what it said. tests/compat/card makes docs/compatibility.md of all that there are.
#
# With BROKER=kafka the same tests run against a real Kafka of one node instead, and leave their results in another folder: what fails there too needs no reason.
#
set -eu
cache=${XDG_CACHE_HOME:-${HOME:-/tmp}/.cache}/sluice-peers
results=$cache/compat${BROKER:+-$BROKER}
here=$SLUICE_SOURCE/tests/compat
mkdir -p "$results"

skip() {
    echo "$1"
    exit 77
}

need() { # need PROGRAM PACKAGE
    command -v "$1" >/dev/null || skip "no $1 here (Debian: $2)"
}

# Again, as root of a network that nobody else uses.
alone() {
    [ -z "${COMPAT_ALONE:-}" ] || return 0
    [ "${BROKER:-}" != kafka ] || kafka_tools # where there is a network still
    unshare -rn true 2>/dev/null || skip "network namespaces are not allowed here"
    COMPAT_ALONE=1 exec unshare -rn "$here/$(basename "$0")"
}

# source OWNER NAME COMMIT: its files in $cache/NAME-COMMIT
source_of() {
    to=$cache/$2-$3
    [ ! -e "$to/.complete" ] || return 0
    need git git
    rm -rf "$to"
    mkdir -p "$to"
    from=${SOURCES:-}/$1+$2/repo
    if [ -z "${SOURCES:-}" ]; then
        from=$to/.git
        git clone -q --bare "https://github.com/$1/$2" "$from" || skip "$1/$2 cannot be had"
    fi
    git -C "$from" archive "$3" 2>/dev/null | tar x -C "$to" || skip "$1/$2 has no commit $3"
    touch "$to/.complete"
}

# Kafka's jars, with a bin/ as in its distribution: in $kafka
kafka_tools() {
    version=4.3.1
    kafka=$cache/kafka-$version
    need java openjdk-17-jre-headless
    if [ ! -e "$kafka/.complete" ]; then
        need mvn maven
        mkdir -p "$kafka"
        cat >"$kafka/pom.xml" <<END
<project xmlns="http://maven.apache.org/POM/4.0.0"><modelVersion>4.0.0</modelVersion>
<groupId>peers</groupId><artifactId>kafka</artifactId><version>1</version><packaging>pom</packaging><dependencies>
<dependency><groupId>org.apache.kafka</groupId><artifactId>kafka_2.13</artifactId><version>$version</version></dependency>
<dependency><groupId>org.apache.kafka</groupId><artifactId>kafka-tools</artifactId><version>$version</version></dependency>
<dependency><groupId>org.apache.kafka</groupId><artifactId>kafka-streams-examples</artifactId><version>$version</version></dependency>
</dependencies></project>
END
        mvn -B -q -f "$kafka/pom.xml" org.apache.maven.plugins:maven-dependency-plugin:3.6.1:copy-dependencies \
            -DincludeScope=runtime -DoutputDirectory="$kafka" >"$kafka/log" 2>&1 || skip "Kafka $version cannot be had"
        touch "$kafka/.complete"
    fi
    mkdir -p "$kafka/bin"
    while read -r name class; do
        printf '#!/bin/sh\nexec java -Xmx256M -XX:TieredStopAtLevel=1 -cp "%s/*" %s "$@"\n' "$kafka" "$class" >"$kafka/bin/$name.sh"
        chmod +x "$kafka/bin/$name.sh"
    done <<'END'
kafka-topics org.apache.kafka.tools.TopicCommand
kafka-configs kafka.admin.ConfigCommand
kafka-acls org.apache.kafka.tools.AclCommand
END
}

# kafka_up PARTITIONS: the real one, with what its own server.properties says
kafka_up() {
    cat >"$scratch/server.properties" <<END
process.roles=broker,controller
node.id=1
controller.quorum.bootstrap.servers=localhost:9093
controller.listener.names=CONTROLLER
listeners=PLAINTEXT://:9092,CONTROLLER://:9093
advertised.listeners=PLAINTEXT://localhost:9092,CONTROLLER://localhost:9093
listener.security.protocol.map=CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT
log.dirs=$scratch/data
num.partitions=$1
offsets.topic.replication.factor=1
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
END
    kafka_tools
    id=$(java -cp "$kafka/*" kafka.tools.StorageTool random-uuid 2>/dev/null)
    java -cp "$kafka/*" kafka.tools.StorageTool format --standalone -t "$id" -c "$scratch/server.properties" >"$scratch/log" 2>&1
    java -Xmx1G -cp "$kafka/*" kafka.Kafka "$scratch/server.properties" >"$scratch/log" 2>&1 &
    broker=$!
    until java -cp "$kafka/*" org.apache.kafka.tools.BrokerApiVersionsCommand --bootstrap-server localhost:9092 >/dev/null 2>&1; do
        kill -0 "$broker" || skip "Kafka does not start"
    done
}

# up 'partitions: 4' [HOST]: a broker on 9092 in $scratch, which ends with the script; clients are told HOST, 127.0.0.1 if there is none
up() {
    ip link set lo up
    scratch=$(mktemp -d) broker=
    trap 'kill $broker 2>/dev/null; wait $broker 2>/dev/null; rm -rf "$scratch"' EXIT
    [ "${BROKER:-}" != kafka ] || { kafka_up "${1#partitions: }"; return; }
    echo "settings: { data: data, listen: { kafka: \"${2:-127.0.0.1}:9092\", registry: off, connect: off }, broker: { $1 } }" >"$scratch/sluice.yaml"
    mkfifo "$scratch/said"
    "$SLUICE" up "$scratch" 2>"$scratch/said" &
    broker=$!
    sed '/ kafka: /q' "$scratch/said" >"$scratch/log" # it listens
    cat "$scratch/said" >>"$scratch/log" &
}
