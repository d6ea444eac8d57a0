import java.io.ByteArrayOutputStream;
import java.io.DataInputStream;
import java.io.DataOutputStream;
import java.io.IOException;
import java.net.Socket;
import org.apache.jute.BinaryOutputArchive;
import org.apache.zookeeper.ZooDefs.Ids;
import org.apache.zookeeper.ZooDefs.OpCode;
import org.apache.zookeeper.proto.ConnectRequest;
import org.apache.zookeeper.proto.CreateRequest;
import org.apache.zookeeper.proto.RequestHeader;

/** A session that is opened, used once and never heard of again, with its connection left open: no pings. */
final class SilentClient {
    private final Socket socket;

    SilentClient(String server, int timeoutMs) throws IOException {
        String[] parts = server.split(":");
        socket = new Socket(parts[0], Integer.parseInt(parts[1]));
        send(new ConnectRequest(0, 0L, timeoutMs, 0L, new byte[16], false));
        receive();
    }

    void createEphemeral(String path) throws IOException {
        send(new RequestHeader(1, OpCode.create), new CreateRequest(path, new byte[0], Ids.OPEN_ACL_UNSAFE, 1));
        int error = receive().error();
        if (error != 0) {
            throw new AssertionError("create was answered with " + error);
        }
    }

    void close() throws IOException {
        socket.close();
    }

    private void send(org.apache.jute.Record... records) throws IOException {
        ByteArrayOutputStream body = new ByteArrayOutputStream();
        for (org.apache.jute.Record record : records) {
            record.serialize(BinaryOutputArchive.getArchive(body), "r");
        }
        DataOutputStream out = new DataOutputStream(socket.getOutputStream());
        out.writeInt(body.size());
        body.writeTo(out);
        out.flush();
    }

    private Reply receive() throws IOException {
        DataInputStream in = new DataInputStream(socket.getInputStream());
        byte[] frame = new byte[in.readInt()];
        in.readFully(frame);
        return new Reply(frame);
    }

    /** The error stands behind xid (4 bytes) and zxid (8). */
    private record Reply(byte[] frame) {
        int error() {
            return java.nio.ByteBuffer.wrap(frame).getInt(12);
        }
    }
}
