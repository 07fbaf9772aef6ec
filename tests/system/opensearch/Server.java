import java.util.List;
import java.util.Map;
import org.opensearch.common.settings.Settings;
import org.opensearch.node.InternalSettingsPreparer;
import org.opensearch.node.Node;
import org.opensearch.transport.Netty4Plugin;

/* Server KEY=VALUE...: an OpenSearch of one node with these settings, without
 * what its own main wants of the machine. */
public final class Server extends Node {
	private Server(Settings settings)
	{
		super(InternalSettingsPreparer.prepareEnvironment(
			  settings, Map.of(), null, () -> "test"),
		    List.of(Netty4Plugin.class), true);
	}

	public static void main(String[] arguments) throws Exception
	{
		Settings.Builder settings = Settings.builder()
		    .put("network.host", "127.0.0.1")
		    .put("discovery.type", "single-node");

		for (String text : arguments) {
			String[] pair = text.split("=", 2);
			settings.put(pair[0], pair[1]);
		}
		new Server(settings.build()).start();
		Thread.currentThread().join();
	}
}
