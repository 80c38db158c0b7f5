import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import org.opensearch.common.settings.Settings;
import org.opensearch.env.Environment;
import org.opensearch.node.InternalSettingsPreparer;
import org.opensearch.node.Node;
import org.opensearch.plugins.Plugin;
import org.opensearch.transport.Netty4Plugin;

/**
 * One OpenSearch node on the loopback address, for tests: `java -cp ... SearchNode FOLDER PORT`.
 *
 * It is the server's own `Node` with the plugin that speaks HTTP, without the start-up that refuses to run as root
 * and without TLS and logins. SIGTERM closes it in order.
 */
final class SearchNode extends Node {
    private SearchNode(Environment environment, List<Class<? extends Plugin>> plugins) {
        super(environment, plugins, true);
    }

    public static void main(String[] arguments) throws Exception {
        Path folder = Path.of(arguments[0]).toAbsolutePath();
        Settings settings = Settings.builder()
            .put("path.home", folder.resolve("home").toString())
            .put("path.data", folder.resolve("data").toString())
            .put("cluster.name", "wfe-tests")
            .put("node.name", "only")
            .put("discovery.type", "single-node")
            .put("network.host", "127.0.0.1")
            .put("http.port", arguments[1])
            .put("transport.port", "0")
            // Neither the machine's limits nor its full disk are what tests are about.
            .put("node.store.allow_mmap", false)
            .put("cluster.routing.allocation.disk.threshold_enabled", false)
            .build();
        Environment environment =
            InternalSettingsPreparer.prepareEnvironment(settings, Map.of(), folder.resolve("home/config"), () -> "only");
        SearchNode node = new SearchNode(environment, List.of(Netty4Plugin.class));
        Thread closing = new Thread(() -> {
            try {
                node.close();
            } catch (Exception failure) {
                failure.printStackTrace();
            }
        });
        Runtime.getRuntime().addShutdownHook(closing);
        node.start();
        Thread.currentThread().join();
    }
}
