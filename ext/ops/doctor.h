/* doctor.h - is everything as it should be?
 * Owns:    the checks of tm_doctor. */
#ifndef TM_OPS_DOCTOR_H
#define TM_OPS_DOCTOR_H

#include "store/run.h"

/* One check: status is "ok", "warn" or "error"; cure is NULL where none is needed. */
typedef void TmDoctorRow(void *arg, const char *name, const char *status, const char *detail,
                         const char *cure);

/* Run every check that the database allows; reads only. */
void tm_doctor_run(TmRun *run, TmDoctorRow *row, void *arg);

#endif
