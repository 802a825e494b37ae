package ns;

import org.apache.avro.Schema;
import org.apache.avro.specific.SpecificRecordBase;

/** As generated from core/src/test/avro. */
public class MyRecord extends SpecificRecordBase {
  private static final Schema SCHEMA = new Schema.Parser().parse(
      "{\"type\":\"record\",\"name\":\"MyRecord\",\"namespace\":\"ns\",\"fields\":[{\"name\":\"field1\","
      + "\"type\":{\"type\":\"record\",\"name\":\"Subrecord\",\"namespace\":\"otherns\",\"fields\":["
      + "{\"name\":\"field2\",\"type\":\"string\"}]}}]}");
  private Object field1;

  @Override
  public Schema getSchema() {
    return SCHEMA;
  }

  @Override
  public Object get(int field) {
    return field1;
  }

  @Override
  public void put(int field, Object value) {
    field1 = value;
  }
}
