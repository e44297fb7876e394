// Progress: one line on standard error that says how far a run is, how fast, and when it will be through. On a terminal
// it is written over; elsewhere a line follows every so often.
//
// Threading: one thread at a time. Failure: none.
//
//   Progress progress(/*steps=*/1000);
//   progress.Step(step, loss, images, seconds);
#ifndef SIGHTLINE_MODEL_TRAIN_RUN_PROGRESS_H_
#define SIGHTLINE_MODEL_TRAIN_RUN_PROGRESS_H_

#include <chrono>
#include <cstdint>
#include <string>

namespace sightline::train {

// "2 h 05 min", "3 min 20 s", "12 s"
std::string Duration(double seconds);

class Progress {
 public:
  explicit Progress(int64_t steps);
  // Ends the line that is written over.
  ~Progress();
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  // Behind a step that took `seconds`, loading included, for `images` photographs.
  void Step(int64_t done, double loss, int64_t images, double seconds);
  // A line of its own.
  void Say(const std::string& text);

  double images_per_second() const { return rate_; }

 private:
  using Clock = std::chrono::steady_clock;
  const int64_t steps_;
  const bool terminal_;
  double rate_ = 0;              // images per second, smoothed
  double seconds_per_step_ = 0;  // smoothed
  bool open_ = false;            // a line on the terminal that is not ended yet
  Clock::time_point shown_;
};

}  // namespace sightline::train

#endif  // SIGHTLINE_MODEL_TRAIN_RUN_PROGRESS_H_
