// Pace: how long a model takes for a batch, learnt from the batches it has run.
//
// A batch costs about as much as its images together, but not quite: a single image costs more than its share of a full
// batch, and sizes (buckets) differ. So each bucket keeps a moving mean for each batch size it has run, and answers for
// other sizes in proportion; a bucket that never ran is taken for the mean of all images.
//
// Threading: one thread at a time. Failure: none; what is not known yet is expected to take no time at all.
//
//   Pace pace;
//   pace.Observe("224x224", 8, milliseconds, clock.Steady());
//   if (pace.Expect("224x224", 1).safe > left) ...
#ifndef SIGHTLINE_SERVER_PACE_H_
#define SIGHTLINE_SERVER_PACE_H_

#include <map>
#include <string>

#include "base/clock.h"

namespace sightline::server {

class Pace {
 public:
  struct Estimate {
    double mean = 0;                   // milliseconds
    double safe = 0;                   // what nearly every run stays below
    base::Clock::Ticks measured = {};  // when it last was; of a guess, the epoch
  };

  void Observe(const std::string& bucket, int size, double milliseconds, base::Clock::Ticks now);

  // A batch of `size` images of the bucket.
  Estimate Expect(const std::string& bucket, int size) const;
  // Images whose bucket is not known yet.
  Estimate ExpectAny(int images) const { return Scaled(image_, images); }
  bool Knows(const std::string& bucket) const { return buckets_.contains(bucket); }

 private:
  // Mean and mean deviation, in which the last few measurements count most.
  struct Moving {
    double mean = 0;
    double deviation = 0;
    int count = 0;
    base::Clock::Ticks measured = {};

    void Add(double value, base::Clock::Ticks now);
  };

  static Estimate Scaled(const Moving& moving, double factor);

  std::map<std::string, std::map<int, Moving>> buckets_;  // by batch size
  Moving image_;                                          // one image of whatever was run
};

}  // namespace sightline::server

#endif  // SIGHTLINE_SERVER_PACE_H_
