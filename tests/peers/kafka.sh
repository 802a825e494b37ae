# What the tests share that want a real Kafka: its jars (some 130 MB, from Maven Central, kept in a folder under ~/.cache), its tools, and a
# broker. Sourced as: . "$(dirname "$0")/kafka.sh". It makes a scratch folder and goes there.
set -eu
version=4.3.1
libs=${XDG_CACHE_HOME:-${HOME:-/tmp}/.cache}/sluice-peers/kafka-$version
skip() { echo "$1"; exit 77; }
command -v java >/dev/null || skip "no java here (Debian: openjdk-17-jre-headless)"
if [ ! -e "$libs/.complete" ]; then
    command -v mvn >/dev/null || skip "no mvn here (Debian: maven)"
    mkdir -p "$libs"
    cat >"$libs/pom.xml" <<END
<project xmlns="http://maven.apache.org/POM/4.0.0"><modelVersion>4.0.0</modelVersion>
<groupId>peers</groupId><artifactId>kafka</artifactId><version>1</version><packaging>pom</packaging><dependencies>
<dependency><groupId>org.apache.kafka</groupId><artifactId>kafka_2.13</artifactId><version>$version</version></dependency>
<dependency><groupId>org.apache.kafka</groupId><artifactId>kafka-tools</artifactId><version>$version</version></dependency>
</dependencies></project>
END
    mvn -B -q -f "$libs/pom.xml" org.apache.maven.plugins:maven-dependency-plugin:3.6.1:copy-dependencies \
        -DincludeScope=runtime -DoutputDirectory="$libs" >"$libs/log" 2>&1 || skip "Kafka $version cannot be had from Maven Central"
    touch "$libs/.complete"
fi
scratch=$(mktemp -d)
broker=
also= # another process that must not outlive the test
clean() {
    [ -z "$also" ] || kill "$also" 2>/dev/null || :
    [ -z "$broker" ] || kill -9 "$broker" 2>/dev/null || :
    rm -rf "$scratch"
}
trap clean EXIT
cd "$scratch"
failed=0
fail() {
    echo "FAILED: $*"
    failed=1
}
kafka() { # kafka CLASS ARGUMENT…
    java -Xmx256M -XX:TieredStopAtLevel=1 -cp "$libs/*" "$@" 2>.err || {
        cat .err
        fail "$1"
    }
}

# format_broker PORT: its configuration and an empty data folder, ./broker; the controller has the port behind
format_broker() {
    port=$1
    server="--bootstrap-server 127.0.0.1:$port"
    cat >server.properties <<END
process.roles=broker,controller
node.id=1
controller.quorum.bootstrap.servers=127.0.0.1:$((port + 1))
controller.listener.names=CONTROLLER
listeners=PLAINTEXT://127.0.0.1:$port,CONTROLLER://127.0.0.1:$((port + 1))
advertised.listeners=PLAINTEXT://127.0.0.1:$port,CONTROLLER://127.0.0.1:$((port + 1))
listener.security.protocol.map=CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT
log.dirs=$scratch/broker
offsets.topic.replication.factor=1
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
log.retention.ms=-1
group.initial.rebalance.delay.ms=0
END
    kafka kafka.tools.StorageTool format --standalone -t "$(kafka kafka.tools.StorageTool random-uuid)" -c server.properties >/dev/null
}
start_broker() {
    java -Xmx256M -cp "$libs/*" kafka.Kafka server.properties >broker.log 2>&1 &
    broker=$!
    tries=0
    # Nothing tells when it serves but a client that is served.
    until java -Xmx128M -XX:TieredStopAtLevel=1 -cp "$libs/*" org.apache.kafka.tools.BrokerApiVersionsCommand \
        --bootstrap-server 127.0.0.1:"$port" >/dev/null 2>&1; do
        tries=$((tries + 1))
        kill -0 $broker 2>/dev/null && [ $tries -lt 30 ] || { tail -20 broker.log; fail 'Kafka does not start'; exit 1; }
    done
}
stop_broker() {
    kill $broker
    wait $broker || :
    broker=
}
