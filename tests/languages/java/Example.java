import java.sql.*;
import org.sqlite.SQLiteConfig;

public class Example {
    interface Body { void run() throws Exception; }

    static Connection db;

    static String run(String sql, Object... values) throws SQLException { // the first column of the first row
        try (PreparedStatement stmt = db.prepareStatement(sql)) {
            for (int i = 0; i < values.length; i++) stmt.setObject(i + 1, values[i]);
            if (!stmt.execute()) return null;
            try (ResultSet rows = stmt.getResultSet()) { return rows.next() ? rows.getString(1) : null; }
        }
    }

    static void transaction(Body body) throws Exception { // BEGIN IMMEDIATE, as the config says
        db.setAutoCommit(false);
        try { body.run(); db.commit(); }
        catch (Exception error) { db.rollback(); throw error; }
        finally { db.setAutoCommit(true); }
    }

    static void send(double total) { if (total < 0) throw new IllegalArgumentException("negative total"); }

    static boolean work() throws Exception { // one task; false where there was none
        String task = run("SELECT tm_claim('mail', 'worker-1')");
        if (task == null) return false;
        long id = Long.parseLong(run("SELECT ? ->> '$.id'", task)), token = Long.parseLong(run("SELECT ? ->> '$.token'", task));
        double total = Double.parseDouble(run("SELECT ? ->> '$.payload'", task));
        try {
            send(total); // the work, outside any transaction
            transaction(() -> { // its result and its end together
                run("INSERT INTO receipt VALUES (?, ?)", total, id);
                run("SELECT tm_complete(?, ?)", id, token);
            });
        } catch (Exception error) {
            run("SELECT tm_fail(?, ?, ?)", id, token, error.getMessage());
        }
        return true;
    }

    public static void main(String[] args) throws Exception {
        SQLiteConfig config = new SQLiteConfig();
        config.enableLoadExtension(true);
        config.setBusyTimeout(20000);
        config.setTransactionMode(SQLiteConfig.TransactionMode.IMMEDIATE);
        db = config.createConnection("jdbc:sqlite:app.db");
        run("SELECT load_extension('./tm')");
        run("SELECT tm_init()");
        run("CREATE TABLE invoice (total REAL NOT NULL, task_id INTEGER REFERENCES tm_task (id))");
        run("CREATE TABLE receipt (total REAL, task_id INTEGER REFERENCES tm_task (id))");

        for (Double total : new Double[] {99.5, -1.0, 20.0, null}) {
            try { // both rows or none
                transaction(() -> run("INSERT INTO invoice VALUES (?1, tm_enqueue('mail', ?1))", total));
            } catch (SQLException error) { } // null breaks NOT NULL: its task is rolled back with the invoice
        }
        while (work()) continue;

        String states = run("SELECT group_concat(state, ' ') FROM (SELECT state FROM tm_task ORDER BY id)");
        System.out.println(states);
        System.exit(states.equals("completed retryable completed") ? 0 : 1);
    }
}
