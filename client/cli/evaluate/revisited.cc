// ROxford5k and RParis6k. Easy: hard and junk images are taken out; Medium: junk ones; Hard: easy and junk ones. A
// query without right images in a split does not count there.
#include "base/status.h"
#include "client/cli/evaluate/gnd_pickle.h"
#include "client/cli/evaluate/protocols.h"

namespace sightline::cli {

absl::StatusOr<Benchmark> ReadRevisited(const std::string& path, const ProtocolOptions&) {
  SIGHTLINE_ASSIGN_OR_RETURN(
      Benchmark benchmark,
      ReadGndPickle(path, {{"easy", Grade::kEasy}, {"hard", Grade::kHard}, {"junk", Grade::kJunk}}));
  benchmark.title = "revisited";
  benchmark.measures = RevisitedMeasures();
  SetRevisitedSplits(&benchmark);
  return benchmark;
}

}  // namespace sightline::cli
