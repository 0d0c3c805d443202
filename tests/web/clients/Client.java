import java.io.InputStream;
import java.net.HttpURLConnection;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.charset.StandardCharsets;

/**
 * Client HttpClient|HttpURLConnection METHOD URL body|no-body "Name: value"...: sends one request,
 * its body from standard input, and prints the status, a line end and the body of the answer.
 */
public final class Client {
    public static void main(String[] args) throws Exception {
        byte[] body = args[3].equals("body") ? System.in.readAllBytes() : null;
        String answer = args[0].equals("HttpClient") ? byHttpClient(args, body) : byUrl(args, body);
        System.out.write(answer.getBytes(StandardCharsets.UTF_8));
        System.out.flush();
    }

    /** The default client: it prefers HTTP/2 and so offers h2c on a clear connection. */
    private static String byHttpClient(String[] args, byte[] body) throws Exception {
        HttpRequest.BodyPublisher publisher = body == null
            ? HttpRequest.BodyPublishers.noBody()
            : HttpRequest.BodyPublishers.ofByteArray(body);
        HttpRequest.Builder request = HttpRequest.newBuilder(URI.create(args[2]));
        request.method(args[1], publisher);
        for (int i = 4; i < args.length; i++) {
            request.header(name(args[i]), value(args[i]));
        }
        HttpResponse<String> answer = HttpClient.newHttpClient()
            .send(request.build(), HttpResponse.BodyHandlers.ofString());
        return answer.statusCode() + "\n" + answer.body();
    }

    private static String byUrl(String[] args, byte[] body) throws Exception {
        HttpURLConnection connection =
            (HttpURLConnection) URI.create(args[2]).toURL().openConnection();
        connection.setRequestMethod(args[1]);
        for (int i = 4; i < args.length; i++) {
            connection.setRequestProperty(name(args[i]), value(args[i]));
        }
        if (body != null) {
            connection.setDoOutput(true);
            connection.getOutputStream().write(body);
        }
        int status = connection.getResponseCode();
        InputStream stream =
            status < 400 ? connection.getInputStream() : connection.getErrorStream();
        String text = stream == null
            ? "" : new String(stream.readAllBytes(), StandardCharsets.UTF_8);
        return status + "\n" + text;
    }

    private static String name(String header) {
        return header.substring(0, header.indexOf(": "));
    }

    private static String value(String header) {
        return header.substring(header.indexOf(": ") + 2);
    }
}
