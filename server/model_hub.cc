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
#include "model/image/decode.h"
#include "model/image/memory.h"
#include "model/image/preview.h"

namespace sightline::server {
namespace {

constexpr size_t kMaxNameBytes = 128;
constexpr int kPreviewSide = 256;
constexpr int kPreviewQuality = 80;

// Gathers the embeddings of the crops of one image; the last one to come answers for all.
class Gather {
 public:
  Gather(size_t count, EmbedResult result, ModelHub::EmbedDone done)
      : left_(count), result_(std::move(result)), done_(std::move(done)) {
    result_.embeddings.resize(count);  // alone here: the object is not shared yet
  }

  void Set(size_t i, absl::StatusOr<model::Embedding> embedding) {
    absl::StatusOr<EmbedResult> answer;
    {
      base::MutexLock lock(mutex_);
      if (embedding.ok()) {
        result_.embeddings[i] = *std::move(embedding);
      } else if (status_.ok()) {
        status_ = embedding.status();
      }
      if (--left_ > 0) return;
      if (status_.ok()) {
        answer = std::move(result_);
      } else {
        answer = status_;
      }
    }
    done_(std::move(answer));
  }

 private:
  base::Mutex mutex_;
  size_t left_ ABSL_GUARDED_BY(mutex_);
  EmbedResult result_ ABSL_GUARDED_BY(mutex_);
  absl::Status status_ ABSL_GUARDED_BY(mutex_);
  const ModelHub::EmbedDone done_;
};

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

// The side to decode at so that the image, or each of its crops, still has the pixels the model wants.
int WantedSide(const EmbedJob& job, const model::Model& model, const image::Header& header) {
  const bool turned = header.orientation > 4;  // boxes are of the upright image
  const int image_width = turned ? header.height : header.width;
  const int image_height = turned ? header.width : header.height;
  const double longest = std::max(image_width, image_height);
  double side = model.wanted_side(image_width, image_height);
  for (const image::CropBox& crop : job.crops) {
    double width = crop.x1 - crop.x0;
    double height = crop.y1 - crop.y0;
    if (crop.unit == image::CropBox::Unit::kFraction) {
      width *= image_width;
      height *= image_height;
    }
    // A crop that is no box is refused later, with a sentence; here it only must not divide by zero.
    if (!(width >= 1 && height >= 1) || width > 1e6 || height > 1e6) return 0;
    const double wanted = model.wanted_side(static_cast<int>(width), static_cast<int>(height));
    side = std::max(side, wanted * longest / std::max(width, height));
  }
  return side < 1e5 ? static_cast<int>(side) : 0;
}

}  // namespace

ModelHub::ModelHub(Options options, const Limits& limits, Metrics& metrics)
    : options_(std::move(options)),
      limits_(limits),
      metrics_(metrics),
      gate_(RunGate::PassesFor(options_.cores, options_.load_options.intra_op_threads)),
      own_decoder_(options_.decoder == nullptr ? image::MakeInProcessDecoder() : nullptr),
      decoder_(options_.decoder == nullptr ? *own_decoder_ : *options_.decoder),
      decode_budget_(limits.decode_memory_bytes),
      default_model_(options_.default_model),
      reaper_({.name = "reaper", .threads = 1, .max_queue = SIZE_MAX, .on_thread_start = {}}),
      decode_pool_({.name = "decode",
                    .threads = options_.decode_threads,
                    .max_queue = static_cast<size_t>(limits.max_queue),
                    .on_thread_start = {}}) {
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
    base::MutexLock lock(mutex_);
    --ending_;
    changed_.NotifyAll();
  };
  if (!reaper_.TrySubmit(end)) end();
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

// ---- Embedding

// What an image takes along through decoding. Members go in reverse order: the place is given back while its model is
// still there.
struct ModelHub::EmbedWork {
  EmbedJob job;
  EmbedDone done;
  Batcher::Place place;
};

absl::StatusOr<Batcher::Place> ModelHub::Admit(const EmbedJob& job) {
  const bool interactive = job.priority == Priority::kInteractive;
  if (interactive && decode_pool_.IsBehind(absl::ToChronoNanoseconds(limits_.max_queue_delay))) {
    metrics_.CountRejected("decode_queue");
    const absl::Duration wait = absl::Ceil(absl::FromChrono(decode_pool_.ExpectedWait()), absl::Milliseconds(1));
    return base::RetryableError(
        absl::StatusCode::kResourceExhausted, "DECODE_QUEUE_FULL",
        absl::StrCat("the image would wait about ", absl::FormatDuration(wait), " to be decoded; the limit is ",
                     absl::FormatDuration(limits_.max_queue_delay),
                     ". Try again after the delay given, or raise --decode_threads or --max_queue_delay."),
        std::max(wait, absl::Milliseconds(50)),
        {{"limit", absl::FormatDuration(limits_.max_queue_delay)}, {"actual", absl::FormatDuration(wait)}});
  }
  const int images = static_cast<int>(std::max<size_t>(1, job.crops.size()));
  absl::StatusOr<Batcher::Place> place = job.model->Reserve(*job.request, job.priority, images);
  if (absl::IsResourceExhausted(place.status())) metrics_.CountRejected("model_queue");
  if (base::GetErrorInfo(place.status()).reason == kDeadlineTooShort) metrics_.CountRejected("deadline");
  return place;
}

void ModelHub::Embed(EmbedJob job, EmbedDone done) {
  // What the header already says is answered here: a bad image never takes a place in the queue. Nor does one that
  // would wait too long for the model once it is decoded: a refusal costs next to nothing.
  const absl::StatusOr<image::Header> header = image::ReadHeader(job.image, limits_.image);
  if (!header.ok()) return done(header.status());
  absl::StatusOr<Batcher::Place> place = Admit(job);
  if (!place.ok()) return done(place.status());
  const auto rank =
      job.priority == Priority::kInteractive ? base::ThreadPool::Rank::kNormal : base::ThreadPool::Rank::kLow;
  const base::Clock::Ticks begin = job.request->clock().Steady();
  const auto work = std::make_shared<EmbedWork>(EmbedWork{std::move(job), std::move(done), *std::move(place)});
  const bool accepted = decode_pool_.TrySubmit(
      [this, work, begin] {
        const Request& request = *work->job.request;
        work->job.request->AddStage("decode_queue", base::MillisecondsBetween(begin, request.clock().Steady()));
        DecodeAndSubmit(*work);
      },
      rank);
  if (!accepted) {
    metrics_.CountRejected("decode_queue");
    work->place = Batcher::Place();
    work->done(base::RetryableError(
        absl::StatusCode::kResourceExhausted, "DECODE_QUEUE_FULL",
        absl::StrCat(limits_.max_queue,
                     " images wait to be decoded, the limit. Try again after the delay given, or raise --max_queue."),
        absl::Milliseconds(250), {{"limit", absl::StrCat(limits_.max_queue)}}));
  }
}

int64_t ModelHub::DecodeShare(const image::Header& header, size_t bytes, int wanted_side) const {
  const int64_t expected = image::DecodeMemory(header, bytes, wanted_side);
  if (decoder_.limits_memory()) return expected;
  // One that may take more than it should is decoded alone, where it could take all there is.
  return std::max(expected, std::min(decode_budget_.limit(), image::UnlimitedDecodeMemory(header, bytes, wanted_side)));
}

void ModelHub::DecodeAndSubmit(EmbedWork& work) {
  const EmbedJob& job = work.job;
  const auto done = [&work](absl::Status status) {
    work.place = Batcher::Place();  // free by the time the caller knows
    work.done(std::move(status));
  };
  if (absl::Status status = job.request->Check(); !status.ok()) return done(status);
  std::vector<model::PreparedImage> prepared;
  EmbedResult result;
  {
    StageTimer timer(*job.request, "decode");
    const absl::StatusOr<image::Header> header = image::ReadHeader(job.image, limits_.image);
    if (!header.ok()) return done(header.status());
    const int wanted_side = WantedSide(job, job.model->model(), *header);
    // Held until the pixels are gone, at the end of this block.
    const absl::StatusOr<DecodeBudget::Share> memory =
        decode_budget_.Take(DecodeShare(*header, job.image.size(), wanted_side), *job.request);
    if (!memory.ok()) return done(memory.status());
    const absl::StatusOr<image::Image> image = decoder_.Decode(job.image, limits_.image, {.wanted_side = wanted_side});
    if (!image.ok()) return done(image.status());
    result.width = image->original_width;
    result.height = image->original_height;
    result.mime_type = std::string(image::MimeType(header->format).data(), image::MimeType(header->format).size());
    if (job.want_preview) {
      absl::StatusOr<std::string> preview = image::MakePreview(*image, kPreviewSide, kPreviewQuality);
      if (!preview.ok()) return done(preview.status());
      result.preview = *std::move(preview);
    }
    const size_t count = std::max<size_t>(1, job.crops.size());
    for (size_t i = 0; i < count; ++i) {
      if (absl::Status status = job.request->Check(); !status.ok()) return done(status);
      absl::StatusOr<model::PreparedImage> one =
          job.model->model().Prepare(*image, job.crops.empty() ? std::nullopt : std::optional(job.crops[i]));
      if (!one.ok()) return done(one.status());
      prepared.push_back(*std::move(one));
    }
  }
  const auto gather = std::make_shared<Gather>(prepared.size(), std::move(result), std::move(work.done));
  for (size_t i = 0; i < prepared.size(); ++i) {
    // The model stays until it has answered.
    work.place.batcher().Submit(work.place, job.request, std::move(prepared[i]),
                                [gather, i, model = job.model](absl::StatusOr<model::Embedding> embedding) {
                                  gather->Set(i, std::move(embedding));
                                });
  }
}

}  // namespace sightline::server
