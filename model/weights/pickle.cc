#include "model/weights/pickle.h"

#include <algorithm>

#include "base/pickle/machine.h"
#include "base/status.h"
#include "model/weights/pickle_calls.h"

namespace sightline::weights {

absl::StatusOr<Pickle> ReadPickle(absl::string_view bytes, const PickleLimits& limits) {
  constexpr int kNewestProtocol = 3;  // of torch.save
  PickleLimits mine = limits;
  mine.newest_protocol = std::min(mine.newest_protocol, kNewestProtocol);
  Pickle pickle;
  PickleCalls calls(pickle, mine);
  SIGHTLINE_RETURN_IF_ERROR(base::RunPickle(bytes, mine, calls, &pickle));
  return pickle;
}

}  // namespace sightline::weights
