package io.confluent.kafka.schemaregistry.rest.protobuf;

import java.util.ArrayList;
import java.util.List;

/** What the tests of Avro borrow from those of Protobuf. */
public class RestApiTest {
  public static List<String> getRandomProtobufSchemas(int count) {
    List<String> schemas = new ArrayList<>();
    for (int i = 0; i < count; i++) {
      schemas.add("syntax = \"proto3\";\npackage io.confluent.kafka.serializers.protobuf.test;\n"
          + "message MyMessage { string f" + System.nanoTime() + " = 1; }\n");
    }
    return schemas;
  }
}
