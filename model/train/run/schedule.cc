#include "model/train/run/schedule.h"

#include <algorithm>
#include <cmath>
#include <numbers>

namespace sightline::train {

double RateFactor(const ScheduleConfig& config, double lr, int64_t step, int64_t steps, int64_t epoch) {
  if (step < config.warmup_steps) return static_cast<double>(step + 1) / static_cast<double>(config.warmup_steps);
  if (config.kind == ScheduleKind::kConstant) return 1;
  if (config.kind == ScheduleKind::kExponential) return std::exp(-config.decay * static_cast<double>(epoch));
  const auto length = static_cast<double>(std::max<int64_t>(1, steps - config.warmup_steps));
  const double t = std::min(1.0, static_cast<double>(step - config.warmup_steps) / length);
  const double last = config.final_lr / lr;
  return last + (1 - last) * (1 + std::cos(std::numbers::pi * t)) / 2;
}

}  // namespace sightline::train
