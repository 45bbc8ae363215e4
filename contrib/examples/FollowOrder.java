import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.time.OffsetDateTime;
import java.time.ZoneOffset;
import java.time.format.DateTimeFormatter;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import java.util.Set;
import java.util.UUID;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.PartitionInfo;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;
import org.apache.kafka.common.serialization.ByteArraySerializer;
import org.apache.kafka.common.serialization.StringDeserializer;
import org.apache.kafka.common.serialization.StringSerializer;

/**
 * Places one order and follows it to its end, by schemas/asyncapi.json alone.
 *
 * <pre>java -cp 'JARS/*' FollowOrder.java localhost:9092 SUPPLIER SKU PRICE [AREA]</pre>
 *
 * Needs kafka-clients and jackson-databind, and nothing of the gateway. With SASL, set KAFKA_SECURITY_PROTOCOL,
 * KAFKA_SASL_MECHANISM and KAFKA_SASL_JAAS_CONFIG; TOPIC_PREFIX stands before the names of the topics. The people are
 * made up.
 */
public class FollowOrder {
    private static final ObjectMapper JSON = new ObjectMapper();
    private static final String PREFIX = System.getenv().getOrDefault("TOPIC_PREFIX", "");
    private static final String COMMANDS = PREFIX + "mall.orders.commands.v1";
    private static final String EVENTS = PREFIX + "mall.orders.events.v1";

    /** Events after which this program ends, and its exit status. One that waits for a person (parked) goes on. */
    private static final Map<String, Integer> ENDS = Map.of(
            "order.refused", 1,
            "order.price_mismatch", 1,
            "order.expired", 1,
            "order.unsupported", 1,
            "order.cancelled", 1,
            "shipment.rejected", 1,
            "shipment.delivered", 0);

    private final KafkaProducer<String, byte[]> producer;
    private final KafkaConsumer<String, byte[]> consumer;
    private final String supplier;
    private final String orderNo = "EX-" + UUID.randomUUID().toString().substring(24);

    private FollowOrder(
            KafkaProducer<String, byte[]> producer, KafkaConsumer<String, byte[]> consumer, String supplier) {
        this.producer = producer;
        this.consumer = consumer;
        this.supplier = supplier;
    }

    public static void main(String[] arguments) throws Exception {
        if (arguments.length < 4 || arguments.length > 5) {
            System.err.println("usage: FollowOrder BOOTSTRAP SUPPLIER SKU PRICE [AREA]");
            System.exit(2);
        }
        Properties connection = connection(arguments[0]);
        String area = arguments.length > 4 ? arguments[4] : null;
        int status;
        try (var producer = new KafkaProducer<>(connection, new StringSerializer(), new ByteArraySerializer());
                var consumer = new KafkaConsumer<>(connection, new StringDeserializer(), new ByteArrayDeserializer())) {
            var order = new FollowOrder(producer, consumer, arguments[1]);
            System.out.println(order.orderNo);
            order.listen();
            order.send("order.submit", submission(arguments[2], arguments[3], area));
            status = order.follow();
        }
        System.exit(status);
    }

    private static Properties connection(String bootstrap) {
        var options = new Properties();
        options.put("bootstrap.servers", bootstrap);
        options.put("security.protocol", System.getenv().getOrDefault("KAFKA_SECURITY_PROTOCOL", "PLAINTEXT"));
        Map.of("sasl.mechanism", "KAFKA_SASL_MECHANISM", "sasl.jaas.config", "KAFKA_SASL_JAAS_CONFIG")
                .forEach((name, variable) -> {
                    if (System.getenv(variable) != null) options.put(name, System.getenv(variable));
                });
        return options;
    }

    /** An order of one piece, which the supplier holds until it is confirmed. Amounts are strings. */
    private static ObjectNode submission(String sku, String price, String area) {
        ObjectNode payload = JSON.createObjectNode();
        ObjectNode line = payload.putArray("lines").addObject();
        line.put("line_no", 1).put("sku", sku).put("quantity", "1").put("name", sku);
        line.putObject("price").put("gross", price);
        payload.putObject("receiver")
                .put("name", "王小明").put("mobile", "13900000000").put("email", "buyer@example.com");
        ObjectNode address = payload.putObject("address");
        address.put("supplier_area", area).put("text", "建设路某号").putArray("mall_areas").add("410000").add("410100");
        payload.putObject("invoice")
                .put("kind", "special").put("title", "某某局").put("tax_no", "11410000MB0000000X");
        return payload.put("payment", "credit").put("mode", "reserve");
    }

    /**
     * Writes a command: the key is the order's number, the kind of message a header. A repeat has to carry the same
     * command_id and the same content: keep it until it is answered.
     */
    private void send(String operation, ObjectNode payload) throws Exception {
        OffsetDateTime now = OffsetDateTime.now(ZoneOffset.ofHours(8));
        String id = UUID.randomUUID().toString();
        ObjectNode content = JSON.createObjectNode();
        content.put("command_id", id).put("supplier", supplier).put("tenant", "410000");
        content.put("order_no", orderNo).put("revision", 1).put("operation", operation);
        content.put("issued_at", instant(now)).put("deadline", instant(now.plusHours(1)));
        content.set("payload", payload);
        var command = new ProducerRecord<String, byte[]>(COMMANDS, orderNo, JSON.writeValueAsBytes(content));
        Map.of(
                "ce_specversion", "1.0",
                "ce_id", id,
                "ce_source", "/mall/core",
                "ce_type", "mall.orders." + operation + ".v1",
                "ce_subject", orderNo,
                "ce_time", instant(now),
                "content-type", "application/json")
                .forEach((name, value) -> command.headers().add(name, value.getBytes(StandardCharsets.UTF_8)));
        producer.send(command).get();
    }

    private static String instant(OffsetDateTime time) {
        return time.format(DateTimeFormatter.ISO_OFFSET_DATE_TIME);
    }

    private void listen() {
        List<PartitionInfo> found = consumer.partitionsFor(EVENTS);
        List<TopicPartition> partitions =
                found.stream().map(each -> new TopicPartition(EVENTS, each.partition())).toList();
        consumer.assign(partitions);
        consumer.seekToBeginning(partitions);
    }

    /** Prints what becomes of the order, and confirms it once its goods are held. */
    private int follow() throws Exception {
        Set<String> seen = new HashSet<>();
        while (true) {
            for (ConsumerRecord<String, byte[]> record : consumer.poll(Duration.ofSeconds(1))) {
                if (!orderNo.equals(record.key())) continue;
                byte[] identity = record.headers().lastHeader("ce_id").value();
                // Any message may come twice, then with the same ce_id.
                if (!seen.add(new String(identity, StandardCharsets.UTF_8))) continue;
                JsonNode event = JSON.readTree(record.value());
                String kind = event.get("event").asText();
                System.out.println(event.get("occurred_at").asText() + " " + kind + " " + event.get("payload"));
                if (kind.equals("order.accepted")) send("order.confirm", JSON.createObjectNode());
                boolean children = event.get("payload").path("scope").asText().equals("children");
                if (ENDS.containsKey(kind) && !children) return ENDS.get(kind);
            }
        }
    }
}
