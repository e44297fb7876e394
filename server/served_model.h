// ServedModel: one loaded model under the name that requests use, with a batcher for each device it computes on.
//
// A request is given to the device that would have it done first, by what each has measured and what waits there. One
// that is lost is left out of the choice.
//
// Threading: all methods may be called from any thread. Ownership: owns its batchers; held by shared_ptr, which is what
// keeps a model that was unloaded or replaced until the last request that found it is done. Failure: Reserve says why
// no device takes a request: with the shortest of their retry delays where it could be tried again.
//
//   SIGHTLINE_ASSIGN_OR_RETURN(Batcher::Place place, served.Reserve(*request, Priority::kInteractive, 1));
//   SIGHTLINE_ASSIGN_OR_RETURN(model::PreparedImage image, served.model().Prepare(...));
//   place.batcher().Submit(place, request, std::move(image), done);
#ifndef SIGHTLINE_SERVER_SERVED_MODEL_H_
#define SIGHTLINE_SERVER_SERVED_MODEL_H_

#include <cstddef>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "model/model.h"
#include "server/batcher.h"

namespace sightline::server {

class ServedModel {
 public:
  // A device that the model was to compute on, and does not, with why; or that it computes on, with OK.
  struct DeviceState {
    std::string device;
    absl::Status status;
  };

  // `name` is that of the model's folder. The model's own name, in model.json, says where it comes from; a folder may
  // be a copy of another. `batchers`, at least one, have the same model. `left_out`: devices that did not take it.
  ServedModel(const std::string& name, std::vector<std::unique_ptr<Batcher>> batchers,
              std::vector<DeviceState> left_out);

  const model::ModelInfo& info() const { return info_; }
  // One of those on a device that is not lost, where there is one. Lives as long as this.
  const model::Model& model() const;

  // As Batcher::Reserve, on the device of the least expected wait that has places.
  absl::StatusOr<Batcher::Place> Reserve(const Request& request, Priority priority, int images);

  // Answers what waits, and all that comes, with UNAVAILABLE.
  void Stop();

  // On all devices together.
  size_t queue_depth() const;

  // Those left out from the start are last.
  std::vector<DeviceState> devices() const;
  // Whether no device is left to compute on.
  bool lost() const;

  // How it came up; set before anyone else sees it.
  struct Start {
    absl::Time time;  // when it was ready
    double load_milliseconds = 0;
    double warm_up_milliseconds = 0;
    int warm_sizes = 0;  // image sizes that ran once on every device, of `sizes`
    int sizes = 0;
  };
  const Start& start() const { return start_; }
  void set_start(const Start& start) { start_ = start; }

 private:
  const model::ModelInfo info_;
  const std::vector<DeviceState> left_out_;
  const std::vector<std::unique_ptr<Batcher>> batchers_;
  Start start_;
};

using ModelPtr = std::shared_ptr<ServedModel>;

}  // namespace sightline::server

#endif  // SIGHTLINE_SERVER_SERVED_MODEL_H_
