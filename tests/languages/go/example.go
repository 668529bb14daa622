package main

import (
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"os"

	"github.com/mattn/go-sqlite3"
)

var db *sql.DB

func transaction(body func(tx *sql.Tx) error) error { // BEGIN IMMEDIATE, as _txlock says
	tx, err := db.Begin()
	if err != nil {
		return err
	}
	if err := body(tx); err != nil {
		tx.Rollback()
		return err
	}
	return tx.Commit()
}

func send(total float64) error {
	if total < 0 {
		return errors.New("negative total")
	}
	return nil
}

func work() (bool, error) { // one task; false where there was none
	var text sql.NullString
	if err := db.QueryRow("SELECT tm_claim('mail', 'worker-1')").Scan(&text); err != nil || !text.Valid {
		return false, err
	}
	var task struct {
		ID, Token int64
		Payload   float64
	}
	if err := json.Unmarshal([]byte(text.String), &task); err != nil {
		return false, err
	}
	err := send(task.Payload) // the work, outside any transaction
	if err == nil {
		err = transaction(func(tx *sql.Tx) error { // its result and its end together
			if _, err := tx.Exec("INSERT INTO receipt VALUES (?, ?)", task.Payload, task.ID); err != nil {
				return err
			}
			_, err := tx.Exec("SELECT tm_complete(?, ?)", task.ID, task.Token)
			return err
		})
	}
	if err != nil {
		_, err = db.Exec("SELECT tm_fail(?, ?, ?)", task.ID, task.Token, err.Error())
	}
	return true, err
}

func main() {
	sql.Register("sqlite3_tm", &sqlite3.SQLiteDriver{Extensions: []string{"./tm"}}) // for every connection of the pool
	db, _ = sql.Open("sqlite3_tm", "file:app.db?_busy_timeout=20000&_txlock=immediate")
	for _, text := range []string{"SELECT tm_init()",
		"CREATE TABLE invoice (total REAL NOT NULL, task_id INTEGER REFERENCES tm_task (id))",
		"CREATE TABLE receipt (total REAL, task_id INTEGER REFERENCES tm_task (id))"} {
		if _, err := db.Exec(text); err != nil {
			panic(err)
		}
	}
	for _, total := range []interface{}{99.5, -1.0, 20.0, nil} { // nil breaks NOT NULL: its task goes with the invoice
		transaction(func(tx *sql.Tx) error { // both rows or none
			_, err := tx.Exec("INSERT INTO invoice VALUES (?1, tm_enqueue('mail', ?1))", total)
			return err
		})
	}
	for more, err := true, error(nil); more; {
		if more, err = work(); err != nil {
			panic(err)
		}
	}
	var states string
	db.QueryRow("SELECT group_concat(state, ' ') FROM (SELECT state FROM tm_task ORDER BY id)").Scan(&states)
	fmt.Println(states)
	if states != "completed retryable completed" {
		os.Exit(1)
	}
}
