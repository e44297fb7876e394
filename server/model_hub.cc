#include "server/model_hub.h"

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <filesystem>
#include <future>
#include <limits>
#include <system_error>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"
#include "base/status.h"

namespace sightline::server {
namespace {

constexpr size_t kMaxNameBytes = 128;

absl::Status Draining() {
  return base::RetryableError(absl::StatusCode::kUnavailable, "DRAINING",
                              "the server is shutting down. Try again, on another server if there is one.",
                              absl::Seconds(1));
}

// Not one and the same model, though it is of the same folder: somebody has written to it.
absl::Status FolderChanged(const std::string& name, const model::ModelInfo& before, const model::ModelInfo& now) {
  if (now.embedding_space == before.embedding_space && now.token_space == before.token_space) return absl::OkStatus();
  return base::FailedPrecondition(
      "MODEL_FOLDER_CHANGED",
      absl::StrCat("the folder of the model '", name, "' has changed: on one device it embeds into space ",
                   before.embedding_space, ", on the next into ", now.embedding_space,
                   ". Load the model again once its files are whole."),
      {{"actual", now.embedding_space}, {"limit", before.embedding_space}});
}

bool HasFolder(const std::string& root, const std::string& name) {
  std::error_code error;
  return std::filesystem::exists(absl::StrCat(root, "/", name, "/model.json"), error);
}

// Of all scales.
int64_t PixelsOf(const model::PreparedImage& image) {
  int64_t pixels = 0;
  for (const model::PreparedImage::Plane& plane : image.planes) pixels += int64_t{plane.height} * plane.width;
  return pixels;
}

}  // namespace

ModelHub::ModelHub(Options options, const Limits& limits, Metrics& metrics)
    : options_(std::move(options)),
      limits_(limits),
      metrics_(metrics),
      gate_(RunGate::PassesFor(options_.cores, options_.load_options.intra_op_threads)),
      default_model_(options_.default_model),
      reaper_({.name = "reaper", .threads = 1, .max_queue = SIZE_MAX, .on_thread_start = {}}) {
  for (const model::Device& device : options_.placement.devices) metrics_.AddDevice(device.Name());
  if (options_.placement.or_cpu) {
    stand_in_pool_ = std::make_unique<base::ThreadPool>(
        base::ThreadPool::Options{.name = "stand-in", .threads = 1, .max_queue = SIZE_MAX, .on_thread_start = {}});
  }
}

ModelHub::~ModelHub() {
  draining_ = true;
  std::map<std::string, ModelPtr> models;
  {
    // A stand-in that is being loaded is waited for; none comes after it.
    base::MutexLock load_lock(load_mutex_);
    base::MutexLock lock(mutex_);
    models.swap(models_);
    // Who still waits is told so, and lets go of its model.
    for (ServedModel* const model : alive_) model->Stop();
  }
  models.clear();
  base::MutexLock lock(mutex_);
  while (!alive_.empty() || ending_ > 0) changed_.Wait(mutex_);
}

// ---- Loading and unloading

absl::Status ModelHub::CheckName(const std::string& name) {
  const auto allowed = [](char c) {
    return absl::ascii_isalnum(static_cast<unsigned char>(c)) || c == '_' || c == '-' || c == '.';
  };
  if (!name.empty() && name.size() <= kMaxNameBytes && name[0] != '.' &&
      std::all_of(name.begin(), name.end(), allowed)) {
    return absl::OkStatus();
  }
  return base::InvalidArgument(
      "MODEL_NAME_INVALID",
      absl::StrCat("'", absl::CEscape(name.substr(0, kMaxNameBytes)), "' is no name of a model: it must be 1 to ",
                   kMaxNameBytes,
                   " of letters, digits, '_', '-' and '.', and not begin with '.'. Name a folder of --model_root."),
      {{"field", "name"}, {"actual", name.substr(0, kMaxNameBytes)}});
}

void ModelHub::Reap(ServedModel* model) {
  const auto end = [this, model] {
    {
      // Nobody may use it any more who finds it there.
      base::MutexLock lock(mutex_);
      alive_.erase(model);
      ++ending_;
    }
    base::Log(base::Severity::kInfo, "model gone", {{"model", model->info().name}});
    delete model;
    Ended();
  };
  {
    // The thread that let go is another's, and the hub must not end while it is in here.
    base::MutexLock lock(mutex_);
    ++ending_;
  }
  if (!reaper_.TrySubmit(end)) end();
  Ended();
}

void ModelHub::Ended() {
  base::MutexLock lock(mutex_);
  --ending_;
  changed_.NotifyAll();
}

ModelPtr ModelHub::Share(std::unique_ptr<ServedModel> model) {
  base::MutexLock lock(mutex_);
  alive_.insert(model.get());
  // The last one to let go may be a batcher's own thread.
  return {model.release(), [this](ServedModel* gone) { Reap(gone); }};
}

std::unique_ptr<Batcher> ModelHub::MakeBatcher(const std::string& name, const std::string& device,
                                               std::unique_ptr<model::Model> model) {
  Batcher::Options options;
  options.max_batch = limits_.max_batch;
  options.max_delay = limits_.max_batch_delay;
  options.max_queue = static_cast<size_t>(limits_.max_queue);
  options.max_queue_delay = limits_.max_queue_delay;
  options.on_batch = [this, name, device](int size, double milliseconds, double wasted) {
    metrics_.ObserveBatch(name, device, size);
    metrics_.AddModelTime(milliseconds / 1e3, wasted * milliseconds / 1e3);
  };
  options.gate = &gate_;
  options.device = device;
  options.on_lost = [this, name, device](const absl::Status& why) { OnDeviceLost(name, device, why); };
  return std::make_unique<Batcher>(std::move(model), std::move(options));
}

absl::Status ModelHub::RunWarmUp(Batcher& batcher, ServedModel::Start* start) {
  if (options_.warm_up == WarmUp::kNone) return absl::OkStatus();
  std::vector<model::PreparedImage> images = batcher.model().WarmUpImages();
  start->sizes = static_cast<int>(images.size());
  if (options_.warm_up == WarmUp::kOne && images.size() > 1) images.resize(1);
  const base::Clock& clock = base::Clock::Real();
  const auto request = std::make_shared<Request>(clock, clock.Steady() + std::chrono::hours(1));
  const double budget = options_.warm_up_budget > absl::ZeroDuration()
                            ? absl::ToDoubleMilliseconds(options_.warm_up_budget)
                            : std::numeric_limits<double>::infinity();
  const auto run = [&](model::PreparedImage image) -> absl::StatusOr<double> {
    const base::Clock::Ticks begin = clock.Steady();
    std::promise<absl::Status> answer;
    batcher.Submit(
        request, std::move(image), Priority::kInteractive,
        [&answer](const absl::StatusOr<model::Embedding>& embedding) { answer.set_value(embedding.status()); });
    SIGHTLINE_RETURN_IF_ERROR(answer.get_future().get());
    const double milliseconds = base::MillisecondsBetween(begin, clock.Steady());
    start->warm_up_milliseconds += milliseconds;
    return milliseconds;
  };
  double per_pixel = 0;
  for (size_t i = 0; i < images.size(); ++i) {
    const auto pixels = static_cast<double>(PixelsOf(images[i]));
    if (draining_) return Draining();
    // A network's time grows at least with its pixels.
    if (start->warm_up_milliseconds + per_pixel * pixels > budget) break;
    // The first run of all is slow for other reasons than its size, and says nothing of the others.
    if (i == 0 && images.size() > 1) SIGHTLINE_RETURN_IF_ERROR(run(images[i]).status());
    SIGHTLINE_ASSIGN_OR_RETURN(const double milliseconds, run(std::move(images[i])));
    per_pixel = milliseconds / pixels;
    ++start->warm_sizes;
  }
  return absl::OkStatus();
}

absl::StatusOr<std::unique_ptr<Batcher>> ModelHub::LoadOn(const std::string& name, const model::LoadOptions& load,
                                                          ServedModel::Start* start) {
  const base::Clock& clock = base::Clock::Real();
  const base::Clock::Ticks begin = clock.Steady();
  SIGHTLINE_ASSIGN_OR_RETURN(std::unique_ptr<model::Model> model,
                             options_.load(absl::StrCat(options_.root, "/", name), load));
  start->load_milliseconds = base::MillisecondsBetween(begin, clock.Steady());
  if (draining_) return Draining();
  std::unique_ptr<Batcher> batcher = MakeBatcher(name, load.device.Name(), std::move(model));
  const absl::Status warm = RunWarmUp(*batcher, start);
  // Which says more than what the image was answered.
  if (const absl::Status lost = batcher->lost(); !lost.ok()) {
    return base::Error(lost.code(), kDeviceLost, lost.message());
  }
  SIGHTLINE_RETURN_IF_ERROR(warm);
  return batcher;
}

absl::StatusOr<ModelPtr> ModelHub::LoadNow(const std::string& name, const std::vector<model::LoadOptions>& loads,
                                           std::vector<ServedModel::DeviceState> left_out) {
  if (draining_) return Draining();
  {
    base::MutexLock lock(mutex_);
    if (!models_.contains(name) && models_.size() >= static_cast<size_t>(limits_.max_models)) {
      return base::Error(absl::StatusCode::kResourceExhausted, "TOO_MANY_MODELS",
                         absl::StrCat(limits_.max_models,
                                      " models are loaded, the limit. Unload one, or raise "
                                      "--max_models."),
                         {{"limit", absl::StrCat(limits_.max_models)}, {"actual", absl::StrCat(models_.size() + 1)}});
    }
  }
  if (!options_.load) {
    return base::FailedPrecondition("MODELS_NOT_BUILT",
                                    "this server was built without models. Send descriptors instead of images.");
  }
  ServedModel::Start start;
  std::vector<std::unique_ptr<Batcher>> batchers;
  std::vector<ServedModel::DeviceState> refused;
  const auto load_on = [&](const model::LoadOptions& load) -> absl::Status {
    ServedModel::Start of_device;
    absl::StatusOr<std::unique_ptr<Batcher>> batcher = LoadOn(name, load, &of_device);
    if (!batcher.ok() && !draining_) {
      refused.push_back({load.device.Name(), batcher.status()});
      return absl::OkStatus();
    }
    SIGHTLINE_RETURN_IF_ERROR(batcher.status());
    start.load_milliseconds += of_device.load_milliseconds;
    start.warm_up_milliseconds += of_device.warm_up_milliseconds;
    start.warm_sizes = batchers.empty() ? of_device.warm_sizes : std::min(start.warm_sizes, of_device.warm_sizes);
    start.sizes = of_device.sizes;
    batchers.push_back(*std::move(batcher));
    return FolderChanged(name, batchers.front()->model().info(), batchers.back()->model().info());
  };
  for (const model::LoadOptions& load : loads) SIGHTLINE_RETURN_IF_ERROR(load_on(load));
  if (batchers.empty() && options_.placement.or_cpu && loads.front().device.cuda) {
    SIGHTLINE_RETURN_IF_ERROR(load_on(Placement::OnCpu(options_.load_options)));
  }
  if (batchers.empty()) return refused.front().status;
  for (ServedModel::DeviceState& one : refused) {
    base::Log(base::Severity::kError, "model not loaded on a device; it is served on others",
              {{"model", name}, {"device", one.device}, {"error", std::string(one.status.message())}});
    // One that was lost on the way is counted already.
    if (base::GetErrorInfo(one.status).reason != kDeviceLost) metrics_.CountDeviceFailure(one.device);
    left_out.push_back(std::move(one));
  }
  start.time = base::Clock::Real().Now();
  auto served = std::make_unique<ServedModel>(name, std::move(batchers), std::move(left_out));
  served->set_start(start);
  return Share(std::move(served));
}

absl::StatusOr<ModelPtr> ModelHub::Load(const std::string& name) {
  SIGHTLINE_RETURN_IF_ERROR(CheckName(name));
  {
    base::MutexLock lock(mutex_);
    loading_.insert(name);
  }
  base::MutexLock load_lock(load_mutex_);
  return Publish(name, LoadNow(name, options_.placement.LoadsOf(name, options_.load_options), {}));
}

absl::StatusOr<ModelPtr> ModelHub::Publish(const std::string& name, absl::StatusOr<ModelPtr> served) {
  ModelPtr replaced;
  std::vector<std::string> devices;
  if (served.ok()) {
    for (const ServedModel::DeviceState& one : (*served)->devices()) {
      if (one.status.ok()) devices.push_back(one.device);
    }
  }
  {
    base::MutexLock lock(mutex_);
    loading_.erase(loading_.find(name));
    if (served.ok()) {
      refused_.erase(name);
      replaced = std::exchange(models_[name], *served);
      if (default_model_.empty()) default_model_ = name;
    } else {
      // A name that nothing stands behind is not kept: callers could send any number of them.
      if (HasFolder(options_.root, name) || models_.contains(name)) refused_[name] = served.status();
    }
    metrics_.CountModelLoad(served.ok());
    if (served.ok()) {
      if (replaced != nullptr) metrics_.SetModelLoaded(name, replaced->info().untrained, false);
      metrics_.SetModelLoaded(name, (*served)->info().untrained, true);
      for (const std::string& device : devices) metrics_.AddModelDevice(name, device);
    }
  }
  if (!served.ok()) {
    base::Log(draining_ ? base::Severity::kInfo : base::Severity::kError, "model refused",
              {{"model", name}, {"error", std::string(served.status().message())}});
    return served;
  }
  const model::ModelInfo& info = (*served)->info();
  const ServedModel::Start& start = (*served)->start();
  base::Log(base::Severity::kInfo, "model loaded",
            {{"model", info.name},
             {"architecture", info.architecture},
             {"parameters", absl::StrCat(info.parameters)},
             {"embedding_space", info.embedding_space},
             {"numeric", info.numeric},
             {"devices", absl::StrJoin(devices, ",")},
             {"replaces", replaced == nullptr ? "" : replaced->info().embedding_space},
             {"milliseconds", absl::StrCat(static_cast<int64_t>(start.load_milliseconds))},
             {"warm_up_milliseconds", absl::StrCat(static_cast<int64_t>(start.warm_up_milliseconds))},
             {"warm_sizes", absl::StrCat(start.warm_sizes, " of ", start.sizes)}});
  return served;
}

void ModelHub::OnDeviceLost(const std::string& name, const std::string& device, const absl::Status& why) {
  metrics_.CountDeviceFailure(device);
  base::Log(base::Severity::kError, "device lost: the model does not use it any more",
            {{"model", name}, {"device", device}, {"error", std::string(why.message())}});
  if (stand_in_pool_ == nullptr) return;
  // Not on this thread, which answers what waits.
  const bool accepted = stand_in_pool_->TrySubmit([this, name] { StandIn(name); });
  if (!accepted) base::Log(base::Severity::kInfo, "nothing stands in: the server ends", {{"model", name}});
}

void ModelHub::StandIn(const std::string& name) {
  base::MutexLock load_lock(load_mutex_);
  if (draining_) return;
  ModelPtr lost;
  {
    base::MutexLock lock(mutex_);
    const auto it = models_.find(name);
    // What was lost may have been replaced since, or may have had other devices.
    if (it == models_.end() || !it->second->lost()) return;
    lost = it->second;
    loading_.insert(name);
  }
  absl::StatusOr<ModelPtr> served =
      LoadNow(name, {Placement::OnCpu(options_.load_options)}, /*left_out=*/lost->devices());
  // Nobody has asked for what else may be in the folder by now.
  if (served.ok()) {
    if (absl::Status changed = FolderChanged(name, lost->info(), (*served)->info()); !changed.ok()) served = changed;
  }
  Publish(name, std::move(served)).IgnoreError();  // the log says what became of it
}

absl::Status ModelHub::Unload(const std::string& name) {
  SIGHTLINE_RETURN_IF_ERROR(CheckName(name));
  ModelPtr gone;
  {
    base::MutexLock load_lock(load_mutex_);
    base::MutexLock lock(mutex_);
    const auto it = models_.find(name);
    if (it == models_.end()) {
      return base::NotFound("MODEL_NOT_LOADED",
                            absl::StrCat("no model '", name, "' is loaded. List the models for the right name."),
                            {{"model", name}});
    }
    gone = std::move(it->second);
    models_.erase(it);
    metrics_.SetModelLoaded(name, gone->info().untrained, false);
  }
  base::Log(base::Severity::kInfo, "model unloaded", {{"model", name}});
  return absl::OkStatus();
}

// ---- Finding

absl::Status ModelHub::NotLoaded(const std::string& name) const {
  if (models_.empty()) {
    return base::FailedPrecondition("NO_MODEL_LOADED",
                                    "this server has no model loaded. Send a descriptor instead of an image, start the "
                                    "server with --models, or load one with \"sightline models load\".");
  }
  const std::string names =
      absl::StrJoin(models_, ", ", [](std::string* out, const auto& entry) { absl::StrAppend(out, entry.first); });
  return base::FailedPrecondition(
      "MODEL_NOT_LOADED",
      absl::StrCat("model '", absl::CEscape(name.substr(0, kMaxNameBytes)), "' is not loaded; loaded are: ", names,
                   ". Load it with --models or \"sightline models load\", or use one of these."),
      {{"model", name.substr(0, kMaxNameBytes)}});
}

absl::StatusOr<ModelPtr> ModelHub::Find(const std::string& name) const {
  base::MutexLock lock(mutex_);
  const std::string& wanted = name.empty() ? default_model_ : name;
  const auto it = models_.find(wanted);
  if (it != models_.end()) return it->second;
  return NotLoaded(wanted);
}

std::vector<ModelPtr> ModelHub::List() const {
  base::MutexLock lock(mutex_);
  std::vector<ModelPtr> models;
  for (const auto& [name, model] : models_) models.push_back(model);
  return models;
}

std::vector<ModelHub::Known> ModelHub::ListKnown() const {
  std::map<std::string, Known> known;
  const absl::StatusOr<std::vector<std::string>> folders = base::ListFolder(options_.root);
  if (folders.ok()) {
    for (const std::string& name : *folders) {
      if (CheckName(name).ok() && HasFolder(options_.root, name)) known[name].name = name;
    }
  }
  base::MutexLock lock(mutex_);
  for (const auto& [name, model] : models_) known[name].model = model;
  for (const std::string& name : loading_) known[name].loading = true;
  for (const auto& [name, status] : refused_) known[name].refused = status;
  std::vector<Known> list;
  for (auto& [name, one] : known) {
    one.name = name;
    list.push_back(std::move(one));
  }
  return list;
}

absl::StatusOr<ModelHub::Known> ModelHub::FindKnown(const std::string& name) const {
  SIGHTLINE_RETURN_IF_ERROR(CheckName(name));
  for (Known& known : ListKnown()) {
    if (known.name == name) return std::move(known);
  }
  return base::NotFound("MODEL_NOT_FOUND",
                        absl::StrCat("there is no model '", name,
                                     "', neither loaded nor in --model_root. List the models for the right name."),
                        {{"model", name}});
}

std::vector<std::string> ModelHub::devices() const {
  std::vector<std::string> names;
  for (const model::Device& device : options_.placement.devices) names.push_back(device.Name());
  for (const ModelPtr& model : List()) {
    for (const ServedModel::DeviceState& one : model->devices()) {
      if (std::find(names.begin(), names.end(), one.device) == names.end()) names.push_back(one.device);
    }
  }
  return names;
}

std::string ModelHub::default_model() const {
  base::MutexLock lock(mutex_);
  return models_.contains(default_model_) ? default_model_ : "";
}

size_t ModelHub::model_queue_depth() const {
  size_t depth = 0;
  for (const ModelPtr& model : List()) depth += model->queue_depth();
  return depth;
}

}  // namespace sightline::server
