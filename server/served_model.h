// ServedModel: one loaded model with its batcher, under the name that requests use.
//
// Threading: all methods may be called from any thread. Ownership: held by shared_ptr, which is what keeps a model that
// was unloaded or replaced until the last request that found it is done. Failure: see Batcher.
#ifndef SIGHTLINE_SERVER_SERVED_MODEL_H_
#define SIGHTLINE_SERVER_SERVED_MODEL_H_

#include <memory>
#include <string>
#include <utility>

#include "absl/time/time.h"
#include "model/model.h"
#include "server/batcher.h"

namespace sightline::server {

class ServedModel {
 public:
  // `name` is that of the model's folder. The model's own name, in model.json, says where it comes from; a folder may
  // be a copy of another.
  ServedModel(const std::string& name, std::unique_ptr<model::Model> model, Batcher::Options options)
      : info_(Renamed(model->info(), name)), batcher_(std::move(model), std::move(options)) {}

  const model::ModelInfo& info() const { return info_; }
  const model::Model& model() const { return batcher_.model(); }
  Batcher& batcher() { return batcher_; }
  size_t queue_depth() const { return batcher_.queue_depth(); }

  // How it came up; set before anyone else sees it.
  struct Start {
    absl::Time time;  // when it was ready
    double load_milliseconds = 0;
    double warm_up_milliseconds = 0;
    int warm_sizes = 0;  // image sizes that ran once, of `sizes`
    int sizes = 0;
  };
  const Start& start() const { return start_; }
  void set_start(const Start& start) { start_ = start; }

 private:
  static model::ModelInfo Renamed(model::ModelInfo info, const std::string& name) {
    info.name = name;
    return info;
  }

  const model::ModelInfo info_;
  Start start_;
  Batcher batcher_;
};

using ModelPtr = std::shared_ptr<ServedModel>;

}  // namespace sightline::server

#endif  // SIGHTLINE_SERVER_SERVED_MODEL_H_
