package io.confluent.kafka.schemaregistry.rest.json;

import java.util.ArrayList;
import java.util.List;

/** What the tests of Avro borrow from those of JSON Schema. */
public class RestApiTest {
  public static List<String> getRandomJsonSchemas(int count) {
    List<String> schemas = new ArrayList<>();
    for (int i = 0; i < count; i++) {
      schemas.add("{\"type\":\"object\",\"properties\":{\"f" + System.nanoTime()
          + "\":{\"type\":\"string\"}},\"additionalProperties\":false}");
    }
    return schemas;
  }
}
