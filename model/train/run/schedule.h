// The learning rate of every step, as a factor of what the configuration says.
//
//   cosine        f + (1 - f) (1 + cos(pi t / T)) / 2, f = final_lr / lr: METHODS 8, per step, behind the warm-up
//   exponential   e^(-decay * epoch)
//   warm-up       (t + 1) / warmup_steps over the first steps
//
// Threading: pure functions. Failure: none.
#ifndef SIGHTLINE_MODEL_TRAIN_RUN_SCHEDULE_H_
#define SIGHTLINE_MODEL_TRAIN_RUN_SCHEDULE_H_

#include <cstdint>

#include "model/train/run/train_config.h"

namespace sightline::train {

// `step` counts from 0, `steps` are all of the run; `lr` is the rate that final_lr is compared with.
double RateFactor(const ScheduleConfig& config, double lr, int64_t step, int64_t steps, int64_t epoch);

}  // namespace sightline::train

#endif  // SIGHTLINE_MODEL_TRAIN_RUN_SCHEDULE_H_
