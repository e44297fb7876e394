// Pace: how long a model takes for a batch, learnt from the batches it has run.
//
// A batch costs about as much as its images together, but not quite: a single image costs more than its share of a full
// batch, and sizes (buckets) differ. So each bucket keeps a moving mean for each batch size it has run, and answers for
// other sizes in proportion; a bucket that never ran is taken for the mean of all images.
//
// From the same figures it says how many images a batch is worth having. On a GPU eight images cost little more than
// one; on a CPU whose cores one image fills they cost eight times as much, and a batch only makes each of them wait for
// the others.
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
  // How many images of the bucket a batch is known to be worth having: the smallest size whose images cost hardly more
  // each than those of the cheapest one. `most` where fewer than two sizes of the bucket were measured.
  int WorthHaving(const std::string& bucket, int most) const;
  // The same where `waiting` images could be taken at once, which is tried when it was not lately.
  int WorthTaking(const std::string& bucket, int waiting, base::Clock::Ticks now) const;
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

  using Sizes = std::map<int, Moving>;  // by batch size

  static int WorthHaving(const Sizes& sizes, int most);
  static Estimate Scaled(const Moving& moving, double factor);

  std::map<std::string, Sizes> buckets_;
  Moving image_;  // one image of whatever was run
};

}  // namespace sightline::server

#endif  // SIGHTLINE_SERVER_PACE_H_
