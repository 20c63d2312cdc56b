import com.sun.net.httpserver.HttpServer;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.URI;
import java.net.URLEncoder;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.util.ArrayList;
import java.util.Base64;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Set;
import java.util.UUID;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;
import javax.crypto.Mac;
import javax.crypto.spec.SecretKeySpec;
import org.openapitools.client.ApiClient;
import org.openapitools.client.ApiException;
import org.openapitools.client.api.CommentsApi;
import org.openapitools.client.api.EventsApi;
import org.openapitools.client.api.MeApi;
import org.openapitools.client.api.ProjectsApi;
import org.openapitools.client.api.TicketsApi;
import org.openapitools.client.api.TokensApi;
import org.openapitools.client.api.WebhooksApi;
import org.openapitools.client.model.CommentCreate;
import org.openapitools.client.model.CommentVisibility;
import org.openapitools.client.model.Event;
import org.openapitools.client.model.Problem;
import org.openapitools.client.model.ProjectCreate;
import org.openapitools.client.model.Scope;
import org.openapitools.client.model.Ticket;
import org.openapitools.client.model.TicketCreate;
import org.openapitools.client.model.TicketEvent;
import org.openapitools.client.model.TicketPage;
import org.openapitools.client.model.TicketPatch;
import org.openapitools.client.model.TicketPriority;
import org.openapitools.client.model.TicketType;
import org.openapitools.client.model.TokenCreate;
import org.openapitools.client.model.WebhookEndpointCreate;
import org.openapitools.client.model.WebhookEvent;

/**
 * A user's program: it goes through the service with the client that openapi-generator makes for Java. URL and TOKEN, an
 * admin's, come from the environment.
 */
public final class Drive {
  private static final String HOST = System.getenv("URL") + "/api/v1";

  private Drive() {}

  public static void main(String[] arguments) throws Exception {
    ApiClient client = signIn(System.getenv("TOKEN"));
    must("admin".equals(new MeApi(client).getMe(null).getUser().getRole()), "an admin's token is needed");
    String cursor = events(client, null, "end").getNext();

    String key = "java-" + UUID.randomUUID().toString().substring(0, 8);
    ProjectCreate project = new ProjectCreate().key(key).name("Мультимедийный сервер");
    must(new ProjectsApi(client).createProject(project, null).getKey().equals(key), "project");

    List<Long> numbers = openTickets(client, key);
    change(client, numbers.get(0));
    discuss(client, numbers.get(0));
    pageThrough(client, key, numbers);
    follow(client, cursor, numbers.get(0));
    listen(client, cursor, numbers.get(0));
    beCalled(client);
    beRefused(client, key);
  }

  private static ApiClient signIn(String token) {
    ApiClient client = new ApiClient();
    client.updateBaseUri(HOST);
    client.setRequestInterceptor(request -> request.header("Authorization", "Bearer " + token));
    return client;
  }

  private static void must(boolean holds, Object otherwise) {
    if (!holds) {
      throw new AssertionError(otherwise);
    }
  }

  private interface Call {
    Object make() throws ApiException;
  }

  /** The problem that a call is refused with, typed. */
  private static Problem refused(int status, String code, Call call) throws Exception {
    try {
      throw new AssertionError("not refused with " + status + ", but " + call.make());
    } catch (ApiException refusal) {
      must(refusal.getCode() == status, refusal);
      Problem problem = ApiClient.createDefaultObjectMapper().readValue(refusal.getResponseBody(), Problem.class);
      must(problem.getStatus() == status && code.equals(problem.getCode()), problem);
      return problem;
    }
  }

  private static List<Long> openTickets(ApiClient client, String project) throws ApiException {
    TicketsApi tickets = new TicketsApi(client);
    TicketCreate bug = new TicketCreate().type(TicketType.BUG).project(project).title("Субтитры 🎬").description("");
    String once = UUID.randomUUID().toString();
    Ticket first = tickets.createTicket(bug, once);
    var again = tickets.createTicketWithHttpInfo(bug, once);
    must(again.getData().equals(first), again.getData());
    must(List.of("true").equals(again.getHeaders().get("idempotent-replayed")), again.getHeaders());
    List<Long> numbers = new ArrayList<>(List.of(first.getNumber()));
    for (TicketType type : List.of(TicketType.SUPPORT, TicketType.FEATURE_REQUEST)) {
      TicketCreate ticket = new TicketCreate().type(type).project(project).title(type.getValue()).description("");
      numbers.add(tickets.createTicket(ticket, null).getNumber());
    }
    return numbers;
  }

  private static void change(ApiClient client, Long number) throws Exception {
    TicketsApi tickets = new TicketsApi(client);
    String version = tickets.getTicket(number, null, null, null).getVersion();
    Ticket after = tickets.updateTicket(number, new TicketPatch().priority(TicketPriority.URGENT), version);
    must(after.getPriority() == TicketPriority.URGENT && !after.getVersion().equals(version), after);
    TicketPatch late = new TicketPatch().title("Поздно");
    refused(412, "precondition_failed", () -> tickets.updateTicket(number, late, version));
  }

  private static void discuss(ApiClient client, Long number) throws ApiException {
    CommentsApi comments = new CommentsApi(client);
    CommentCreate body = new CommentCreate().body("Только в Wayland.").visibility(CommentVisibility.INTERNAL);
    var comment = comments.createComment(number, body, null);
    must(comments.listComments(number, null, null, null).getItems().equals(List.of(comment)), comment);
  }

  private static void pageThrough(ApiClient client, String project, List<Long> numbers) throws ApiException {
    List<Long> seen = new ArrayList<>();
    String cursor = null;
    do {
      TicketPage page =
          new TicketsApi(client)
              .listTickets(
                  Set.of(project), null, null, null, null, null, null, null, null, null, null, null, null, null, null,
                  null, null, null, "created", 2, cursor);
      page.getItems().forEach(ticket -> seen.add(ticket.getNumber()));
      cursor = page.getNext();
    } while (cursor != null);
    must(seen.equals(numbers), seen);
  }

  private static org.openapitools.client.model.Feed events(ApiClient client, String cursor, String start)
      throws ApiException {
    return new EventsApi(client).listEvents(null, null, start, 3, cursor);
  }

  /** Whether the event is about that ticket; then it has to be its first, and its data the ticket. */
  private static boolean isTold(Event event, Long number) {
    if (!(event.getActualInstance() instanceof TicketEvent ticketEvent)
        || !Objects.equals(ticketEvent.getTicketNumber(), number)) {
      return false;
    }
    must("ticket.created".equals(ticketEvent.getType().getValue()), ticketEvent);
    must(ticketEvent.getData().getNumber().equals(number), ticketEvent);
    return true;
  }

  private static void follow(ApiClient client, String cursor, Long number) throws ApiException {
    for (String next = cursor; ; ) {
      var page = events(client, next, null);
      if (page.getItems().stream().anyMatch(event -> isTold(event, number))) {
        return;
      }
      next = page.getNext();
    }
  }

  /** The generated method would read the whole stream, which never ends. So the request is our own, with a pass. */
  private static void listen(ApiClient client, String cursor, Long number) throws Exception {
    String pass = new EventsApi(client).createStreamPass().getPass();
    URI uri = URI.create(HOST + "/events/stream?pass=" + encoded(pass) + "&cursor=" + encoded(cursor));
    HttpRequest request = HttpRequest.newBuilder(uri).build();
    HttpResponse<Stream<String>> response =
        HttpClient.newHttpClient().send(request, HttpResponse.BodyHandlers.ofLines());
    try (Stream<String> lines = response.body()) {
      must(lines.filter(line -> line.startsWith("data:")).anyMatch(line -> isTold(event(line.substring(5)), number)),
          "the stream ended");
    }
  }

  private static String encoded(String text) {
    return URLEncoder.encode(text, StandardCharsets.UTF_8);
  }

  private static Event event(String json) {
    try {
      return ApiClient.createDefaultObjectMapper().readValue(json, Event.class);
    } catch (java.io.IOException malformed) {
      throw new AssertionError(json, malformed);
    }
  }

  private record Message(Map<String, List<String>> headers, byte[] body) {
    String header(String name) {
      return headers.get(name).get(0);
    }
  }

  /** A ping arrives at a server of our own, is signed, and is an event. */
  private static void beCalled(ApiClient client) throws Exception {
    CompletableFuture<Message> received = new CompletableFuture<>();
    HttpServer server = HttpServer.create(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0), 0);
    server.createContext(
        "/",
        exchange -> {
          received.complete(new Message(exchange.getRequestHeaders(), exchange.getRequestBody().readAllBytes()));
          exchange.sendResponseHeaders(204, -1);
          exchange.close();
        });
    server.start();
    try {
      WebhooksApi webhooks = new WebhooksApi(client);
      URI url = URI.create("http://127.0.0.1:" + server.getAddress().getPort() + "/");
      var endpoint = webhooks.createWebhookEndpoint(new WebhookEndpointCreate().url(url.toString()), null);
      webhooks.pingWebhookEndpoint(endpoint.getId(), null);
      Message message = received.get(30, TimeUnit.SECONDS);
      verify(endpoint.getSecret(), message);
      Event event = event(new String(message.body(), StandardCharsets.UTF_8));
      must(
          event.getActualInstance() instanceof WebhookEvent pinged
              && "webhook.pinged".equals(pinged.getType().getValue()),
          event);
      webhooks.deleteWebhookEndpoint(endpoint.getId(), null);
    } finally {
      server.stop(0);
    }
  }

  /** As Standard Webhooks 1.0 says: HMAC-SHA256 of id, timestamp and body. */
  private static void verify(String secret, Message message) throws Exception {
    Mac mac = Mac.getInstance("HmacSHA256");
    mac.init(new SecretKeySpec(Base64.getDecoder().decode(secret.substring("whsec_".length())), "HmacSHA256"));
    mac.update((message.header("Webhook-id") + "." + message.header("Webhook-timestamp") + ".").getBytes());
    byte[] expected = mac.doFinal(message.body());
    for (String signature : message.header("Webhook-signature").split(" ")) {
      if (MessageDigest.isEqual(Base64.getDecoder().decode(signature.substring("v1,".length())), expected)) {
        return;
      }
    }
    throw new AssertionError("no signature is right");
  }

  private static void beRefused(ApiClient client, String project) throws Exception {
    TicketsApi tickets = new TicketsApi(client);
    refused(400, "invalid_cursor", () -> events(client, "nonsense", null));
    refused(401, "unauthenticated", () -> new MeApi(signIn("nonsense")).getMe(null));
    TokenCreate reader = new TokenCreate().name("Чтение").scopes(Set.of(Scope.TICKETS_READ));
    String token = new TokensApi(client).createToken(reader, null).getToken();
    ProjectCreate again = new ProjectCreate().key(project).name("Снова");
    refused(403, "insufficient_scope", () -> new ProjectsApi(signIn(token)).createProject(again, null));
    refused(404, "not_found", () -> tickets.getTicket((1L << 53) - 1, null, null, null));
    refused(409, "already_exists", () -> new ProjectsApi(client).createProject(again, null));
    TicketCreate blank = new TicketCreate().type(TicketType.SUPPORT).project(project).title(" ").description("");
    Problem problem = refused(422, "validation_failed", () -> tickets.createTicket(blank, null));
    must(problem.getErrors().size() == 1 && "#/title".equals(problem.getErrors().get(0).getPointer()), problem);
  }
}
