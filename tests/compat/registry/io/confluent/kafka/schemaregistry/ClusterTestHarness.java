package io.confluent.kafka.schemaregistry;

import java.util.Properties;
import org.junit.jupiter.api.TestInfo;

/** Stands where the tests expect a cluster of their own: a fresh `sluice up` for each test. */
public class ClusterTestHarness implements SchemaRegistryTestHarness {
  public static final String KAFKASTORE_TOPIC = "_schemas";
  protected final String compatibilityType;
  protected RestApp restApp;

  public ClusterTestHarness() {
    this(1);
  }

  public ClusterTestHarness(int numBrokers) {
    this(numBrokers, false);
  }

  public ClusterTestHarness(int numBrokers, boolean setupRestApp) {
    this(numBrokers, setupRestApp, CompatibilityLevel.NONE.name);
  }

  public ClusterTestHarness(int numBrokers, boolean setupRestApp, String compatibilityType) {
    this.compatibilityType = compatibilityType;
  }

  public void setUpTest(TestInfo testInfo) throws Exception {
    restApp = new RestApp(0, null, null, KAFKASTORE_TOPIC, compatibilityType, true, null);
    restApp.start();
  }

  public void tearDown() throws Exception {
    restApp.stop();
  }

  public void injectSchemaRegistryProperties(Properties props) {
  }

  public Properties getSchemaRegistryProperties() throws Exception {
    return new Properties();
  }

  @Override
  public RestApp getRestApp() {
    return restApp;
  }

  @Override
  public Integer getSchemaRegistryPort() {
    return restApp.port;
  }

  @Override
  public String getSchemaRegistryProtocol() {
    return "http";
  }
}
