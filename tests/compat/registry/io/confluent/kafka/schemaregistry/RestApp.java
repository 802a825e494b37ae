package io.confluent.kafka.schemaregistry;

import io.confluent.kafka.schemaregistry.client.rest.RestService;
import io.confluent.kafka.schemaregistry.client.rest.entities.requests.ConfigUpdateRequest;
import io.confluent.kafka.schemaregistry.storage.SchemaRegistry;
import java.io.BufferedReader;
import java.io.File;
import java.io.IOException;
import java.io.InputStreamReader;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Comparator;
import java.util.Properties;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;

/** One `sluice up` in an empty folder, with a registry on a free port. */
public class RestApp {
  private static final Pattern LISTENING = Pattern.compile("registry: (http://[0-9.]+:([0-9]+))");
  public RestService restClient;
  public String restConnect;
  public final Properties prop = new Properties();
  int port;
  private final String compatibility;
  private final SchemaRegistry schemaRegistry = new SchemaRegistry();
  private Process process;
  private Path folder;

  public RestApp(int port, String zkConnect, String kafkaTopic) {
    this(port, zkConnect, null, kafkaTopic, CompatibilityLevel.NONE.name, true, null);
  }

  public RestApp(int port, String zkConnect, String bootstrapBrokers, String kafkaTopic,
      String compatibilityType, boolean leaderEligibility, Properties props) {
    this.compatibility = compatibilityType;
  }

  public void start() throws Exception {
    folder = Files.createTempDirectory("registry");
    process = new ProcessBuilder(System.getenv("SLUICE"), "up",
        "--set", "settings.listen.kafka=off", "--set", "settings.listen.http=off",
        "--set", "settings.listen.registry=127.0.0.1:0")
        .directory(folder.toFile()).redirectErrorStream(true)
        .redirectInput(new File("/dev/null")).start();
    BufferedReader log = new BufferedReader(new InputStreamReader(process.getInputStream()));
    String line;
    while (restConnect == null && (line = log.readLine()) != null) {
      Matcher matcher = LISTENING.matcher(line);
      if (matcher.find()) {
        restConnect = matcher.group(1);
        port = Integer.parseInt(matcher.group(2));
      }
    }
    if (restConnect == null) {
      throw new IOException("it does not start");
    }
    Thread reader = new Thread(() -> log.lines().forEach(l -> { }));
    reader.setDaemon(true);
    reader.start();
    restClient = new RestService(restConnect);
    if (!CompatibilityLevel.BACKWARD.name.equals(compatibility)) {
      ConfigUpdateRequest request = new ConfigUpdateRequest();
      request.setCompatibilityLevel(compatibility);
      restClient.updateConfig(request, null);
      restClient.updateConfig(request, ":.__GLOBAL:");
    }
  }

  public void stop() throws Exception {
    restClient.close();
    process.destroyForcibly().waitFor();
    try (Stream<Path> files = Files.walk(folder)) {
      files.sorted(Comparator.reverseOrder()).map(Path::toFile).forEach(File::delete);
    }
  }

  public SchemaRegistry schemaRegistry() {
    return schemaRegistry;
  }
}
