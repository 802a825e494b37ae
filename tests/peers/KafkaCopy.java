import java.io.FileWriter;
import java.io.PrintWriter;
import java.time.Duration;
import java.util.HashMap;
import java.util.Map;
import java.util.Properties;
import java.util.Random;
import java.util.Set;
import org.apache.kafka.clients.consumer.CloseOptions;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.ConsumerRecords;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.KafkaException;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.errors.FencedInstanceIdException;
import org.apache.kafka.common.errors.UnreleasedInstanceIdException;

/** Java's consume-transform-produce loop, for kafka_kills.py: in → target, partition by partition, in transactions, as a static member.
 *
 *  KafkaCopy BOOTSTRAP NAME classic|consumer GROUP TARGET FILE; what it saw goes to FILE, a line of JSON each. */
public class KafkaCopy {
    static volatile boolean ending;
    static PrintWriter out;

    static void say(String what, Object value) {
        out.printf("{\"at\": %.2f, \"%s\": \"%s\"}%n", System.currentTimeMillis() / 1000.0, what,
                String.valueOf(value).replace("\\", "\\\\").replace("\"", "\\\"").replace("\n", " "));
        out.flush();
    }

    static KafkaConsumer<byte[], byte[]> consumer(String bootstrap, String name, String protocol, String group) {
        Properties p = new Properties();
        p.put("bootstrap.servers", bootstrap);
        p.put("client.id", name);
        p.put("group.id", group);
        p.put("group.instance.id", name);
        p.put("group.protocol", protocol);
        p.put("isolation.level", "read_committed");
        p.put("enable.auto.commit", "false");
        p.put("auto.offset.reset", "earliest");
        p.put("max.poll.records", "200");
        p.put("key.deserializer", "org.apache.kafka.common.serialization.ByteArrayDeserializer");
        p.put("value.deserializer", "org.apache.kafka.common.serialization.ByteArrayDeserializer");
        if (protocol.equals("classic")) {
            p.put("session.timeout.ms", "6000");
            p.put("heartbeat.interval.ms", "1000");
        }
        KafkaConsumer<byte[], byte[]> c = new KafkaConsumer<>(p);
        c.subscribe(Set.of("in"));
        return c;
    }

    static KafkaProducer<byte[], byte[]> producer(String bootstrap, String name) {
        Properties p = new Properties();
        p.put("bootstrap.servers", bootstrap);
        p.put("client.id", name);
        p.put("transactional.id", name);
        p.put("key.serializer", "org.apache.kafka.common.serialization.ByteArraySerializer");
        p.put("value.serializer", "org.apache.kafka.common.serialization.ByteArraySerializer");
        KafkaProducer<byte[], byte[]> made = new KafkaProducer<>(p);
        try {
            made.initTransactions();
        } catch (KafkaException e) {
            made.close(Duration.ZERO);
            throw e;
        }
        return made;
    }

    /** Back to what the group has committed. */
    static void rewind(KafkaConsumer<byte[], byte[]> c) {
        Map<TopicPartition, OffsetAndMetadata> committed = c.committed(c.assignment());
        for (TopicPartition place : c.assignment()) {
            OffsetAndMetadata at = committed.get(place);
            if (at != null)
                c.seek(place, at);
            else
                c.seekToBeginning(Set.of(place));
        }
    }

    /** One transaction; some are aborted on purpose, and what those wrote says so. */
    static void turn(KafkaConsumer<byte[], byte[]> c, KafkaProducer<byte[], byte[]> p, String target, boolean abort) {
        ConsumerRecords<byte[], byte[]> records = c.poll(Duration.ofMillis(500));
        if (records.isEmpty())
            return;
        Map<TopicPartition, OffsetAndMetadata> next = new HashMap<>();
        p.beginTransaction();
        for (ConsumerRecord<byte[], byte[]> r : records) {
            byte[] value = abort ? ("ABORTED " + new String(r.value())).getBytes() : r.value();
            p.send(new ProducerRecord<>(target, r.partition(), r.key(), value));
            next.put(new TopicPartition(r.topic(), r.partition()), new OffsetAndMetadata(r.offset() + 1));
        }
        if (abort) {
            p.flush();
            p.abortTransaction();
            rewind(c);
            return;
        }
        p.sendOffsetsToTransaction(next, c.groupMetadata());
        p.commitTransaction();
        say("copied", records.count());
    }

    public static void main(String[] args) throws Exception {
        String bootstrap = args[0], name = args[1], protocol = args[2], group = args[3], target = args[4];
        out = new PrintWriter(new FileWriter(args[5], true));
        Thread main = Thread.currentThread();
        Runtime.getRuntime().addShutdownHook(new Thread(() -> {
            ending = true;
            try {
                main.join(20000);
            } catch (InterruptedException e) {
                return;
            }
        }));
        Random chance = new Random();
        KafkaConsumer<byte[], byte[]> c = null;
        KafkaProducer<byte[], byte[]> p = null;
        while (!ending) {
            try {
                if (c == null)
                    c = consumer(bootstrap, name, protocol, group);
                if (p == null)
                    p = producer(bootstrap, name);
                turn(c, p, target, chance.nextInt(10) == 0);
            } catch (KafkaException e) {
                say("trouble", e);
                if (p != null)  // another one with this transactional id ends what this one has begun
                    p.close(Duration.ZERO);
                p = null;
                boolean over = e instanceof FencedInstanceIdException || e instanceof UnreleasedInstanceIdException;
                try {
                    if (!over)
                        rewind(c);
                } catch (KafkaException e2) {
                    say("trouble", e2);
                    over = true;
                }
                if (over && c != null) {
                    c.close(CloseOptions.timeout(Duration.ofSeconds(1)));
                    c = null;
                    Thread.sleep(1000);  // its former life has the instance id still
                }
            }
        }
        if (c != null)
            c.close(CloseOptions.timeout(Duration.ofSeconds(5)));
        if (p != null)
            p.close(Duration.ofSeconds(5));
    }
}
