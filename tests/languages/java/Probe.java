// What xerial's driver does by itself; ../README.md says what the lines mean.
import java.sql.*;
import org.sqlite.SQLiteConfig;

public class Probe {
    static Connection connect() throws SQLException { return connect(new SQLiteConfig()); }

    static Connection connect(SQLiteConfig config) throws SQLException {
        config.enableLoadExtension(true);
        config.setBusyTimeout(0);
        Connection db = config.createConnection("jdbc:sqlite:probe.db");
        one(db, "SELECT load_extension('./tm')");
        return db;
    }

    static String one(Connection db, String sql, Object... values) throws SQLException {
        try (PreparedStatement stmt = db.prepareStatement(sql)) {
            for (int i = 0; i < values.length; i++) stmt.setObject(i + 1, values[i]);
            if (!stmt.execute()) return null;
            ResultSet rows = stmt.getResultSet();
            return rows.next() ? rows.getString(1) : null;
        }
    }

    // The task of a call whose connection ends with no commit.
    static void fresh(Connection db, String name, String sql) throws SQLException {
        Connection other = connect();
        one(other, sql);
        if (name.equals("select")) System.out.println("runs " + one(other, "SELECT count(*) FROM tm_task"));
        other.close();
        String count = one(db, "SELECT count(*) FROM tm_task WHERE queue = ?", name);
        System.out.println(name + (count.equals("0") ? " gone" : " kept"));
    }

    static void begin(Connection db, String name) throws SQLException {
        Connection other = connect();
        db.setAutoCommit(false);
        one(db, "SELECT count(*) FROM tm_task");
        try {
            one(other, "BEGIN IMMEDIATE");
            System.out.println(name + " deferred");
        } catch (SQLException error) {
            System.out.println(name + " immediate");
        }
        other.close();
        db.rollback();
        db.setAutoCommit(true);
    }

    public static void main(String[] args) throws SQLException {
        Connection db = connect();
        one(db, "SELECT tm_init()");
        System.out.println("number " + one(db, "SELECT typeof(?)", 3));
        fresh(db, "select", "SELECT tm_enqueue('select', 1)");
        fresh(db, "command", "INSERT INTO tm_command (verb, arg1) VALUES ('enqueue', 'command')");

        begin(db, "begin");
        SQLiteConfig config = new SQLiteConfig();
        config.setTransactionMode(SQLiteConfig.TransactionMode.IMMEDIATE);
        begin(connect(config), "cure");

        ResultSet rows = db.createStatement().executeQuery("SELECT id FROM tm_task");
        rows.next();
        try {
            one(db, "SELECT tm_enqueue('open', 1)");
            System.out.println("open works");
        } catch (SQLException error) {
            String message = error.getMessage();
            int at = message.indexOf("[needs");
            System.out.println("open " + (at < 0 ? message : message.substring(at, message.indexOf(']', at) + 1)));
        }
    }
}
