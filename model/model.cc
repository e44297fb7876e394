#include "model/model.h"

#include <sys/stat.h>

#include <algorithm>
#include <exception>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "base/file.h"
#include "base/log.h"
#include "base/status.h"
#include "model/calibration/input_observer.h"
#include "model/config/model_config.h"
#include "model/device/device_network.h"
#include "model/engine/int8_weights.h"
#include "model/image/resize.h"
#include "model/inference.h"
#include "model/preprocess/blank_images.h"
#include "model/preprocess/planes.h"
#include "model/preprocess/sizes.h"
#include "model/registry.h"
#include "model/space.h"
#include "model/tokens/projection.h"
#include "model/weights/load.h"
#include "model/weights/safetensors.h"
#include "model/weights/seeded_init.h"

namespace sightline::model {
namespace {

constexpr int64_t kMaxConfigBytes = 1 << 20;
// The largest architecture allowed, as float32, with room for the header and what training leaves behind.
constexpr int64_t kMaxWeightsBytes = 3LL * 1024 * 1024 * 1024;
constexpr absl::string_view kProjectionName = "tokens.projection";

absl::Status LibraryError(absl::string_view doing, const std::exception& error) {
  const absl::string_view text = error.what();
  // LibTorch appends a stack trace after the first line.
  return base::Error(absl::StatusCode::kInternal, "MODEL_FAILED",
                     absl::StrCat(doing, " failed inside LibTorch: ", text.substr(0, text.find('\n')),
                                  ". Report this with the model's name."));
}

bool Exists(const std::string& path) {
  struct stat status;
  return ::stat(path.c_str(), &status) == 0;
}

// Weights, or a seeded initialisation where the directory has none and the caller allows it. Sets `untrained`.
absl::Status FillTensors(const std::string& directory, const LoadOptions& options, const ModelConfig& config,
                         std::vector<NamedTensor> targets, bool& untrained) {
  const std::string path = absl::StrCat(directory, "/weights.safetensors");
  untrained = !Exists(path);
  if (!untrained) {
    SIGHTLINE_ASSIGN_OR_RETURN(const auto file, base::MappedFile::Open(path, kMaxWeightsBytes));
    SIGHTLINE_ASSIGN_OR_RETURN(const weights::Safetensors parsed, weights::ParseSafetensors(file->bytes(), {}));
    untrained = !config.seeded.empty();
    if (untrained && !options.allow_untrained) {
      return base::FailedPrecondition(
          "WEIGHTS_SEEDED",
          absl::StrCat("model ", config.name, " has no trained weights for ", absl::StrJoin(config.seeded, ", "),
                       ", only seeded ones. Import a checkpoint that holds them, or pass "
                       "--allow_untrained to run it so."));
    }
    return LoadTensors(parsed, targets);
  }
  if (!options.allow_untrained) {
    return base::FailedPrecondition(
        "WEIGHTS_MISSING",
        absl::StrCat("model ", config.name, " has no weights file ", path,
                     ". Put one there, or pass --allow_untrained to run from a seeded random initialisation."),
        {{"path", path}});
  }
  if (config.tokens.projection == TokenProjection::kStored) {
    return base::FailedPrecondition(
        "WEIGHTS_MISSING", absl::StrCat("model ", config.name, " stores its token projection in ", path,
                                        ", which is not there. Add the file or set tokens.projection to orthonormal."));
  }
  if (config.whitening.has_value()) {
    return base::FailedPrecondition(
        "WEIGHTS_MISSING", absl::StrCat("model ", config.name, " stores its whitening in ", path,
                                        ", which is not there. Add the file, or take whitening out of model.json."));
  }
  InitialiseSeeded(targets, std::max(1, Facts(config.backbone).blocks), config.seed);
  return absl::OkStatus();
}

// The calibration beside the weights; null where there is none. One of other weights is refused.
absl::StatusOr<std::shared_ptr<const Calibration>> LoadCalibration(const std::string& directory,
                                                                   const ModelInfo& info) {
  const std::string path = absl::StrCat(directory, "/", kCalibrationFile);
  if (!Exists(path)) return nullptr;
  SIGHTLINE_ASSIGN_OR_RETURN(const std::string text, base::ReadFile(path, kMaxCalibrationBytes));
  SIGHTLINE_ASSIGN_OR_RETURN(Calibration calibration, ParseCalibration(text));
  if (calibration.embedding_space == info.embedding_space) {
    return std::make_shared<const Calibration>(std::move(calibration));
  }
  return base::FailedPrecondition("CALIBRATION_FOREIGN",
                                  absl::StrCat(path, " was made for other weights: it names the embedding space ",
                                               calibration.embedding_space, ", the model has ", info.embedding_space,
                                               ". Make it again with `sightline-train calibrate`, or delete it."),
                                  {{"path", path}});
}

// Says in the log what of a wish for int8 came true.
void LogInt8(const std::string& model, const PlanReport& report) {
  if (report.uncalibrated.empty()) {
    base::Log(base::Severity::kInfo, "model computes in int8",
              {{"model", model}, {"int8_layers", absl::StrCat(report.int8_layers)}});
    return;
  }
  constexpr size_t kMostNamed = 8;
  const size_t named = std::min(report.uncalibrated.size(), kMostNamed);
  base::Log(base::Severity::kWarning,
            "convolutions without a calibration stay in fp32; run `sightline-train calibrate`",
            {{"model", model},
             {"int8_layers", absl::StrCat(report.int8_layers)},
             {"fp32_layers", absl::StrCat(report.uncalibrated.size())},
             {"among_them", absl::StrJoin(report.uncalibrated.begin(), report.uncalibrated.begin() + named, ", ")}});
}

class LoadedModel : public Model {
 public:
  LoadedModel(ModelConfig config, int intra_op_threads)
      : config_(std::move(config)),
        intra_op_threads_(intra_op_threads),
        network_(std::make_shared<Network>(config_.backbone, config_.head, config_.whitening)),
        token_form_(config_.tokens),
        projection_(torch::zeros({Facts(config_.backbone).dim, config_.tokens.dim})) {}

  absl::Status Fill(const std::string& directory, const LoadOptions& options) {
    const std::vector<NamedTensor> tensors = InferenceTensors(*network_);
    std::vector<NamedTensor> targets = tensors;
    if (config_.tokens.projection == TokenProjection::kStored) {
      targets.push_back({std::string(kProjectionName), projection_});
    } else {
      const std::vector<float> values = OrthonormalProjection(static_cast<int>(projection_.size(0)), config_.tokens.dim,
                                                              config_.tokens.projection_seed);
      std::copy(values.begin(), values.end(), projection_.data_ptr<float>());
    }
    SIGHTLINE_RETURN_IF_ERROR(FillTensors(directory, options, config_, std::move(targets), info_.untrained));
    Describe(ComputeSpaces(config_, tensors, projection_));
    if (config_.whitening.has_value()) info_.bare_space = BareSpace(tensors);
    if (options.whole_tokens) KeepTokensWhole();
    return options.device.cuda ? MoveToCard(options) : Plan(directory, options);
  }

  const ModelInfo& info() const override { return info_; }

  int wanted_side(int width, int height) const override { return WantedSide(config_.preprocess, width, height); }

  absl::StatusOr<PreparedImage> Prepare(const image::Image& image,
                                        const std::optional<image::CropBox>& crop) const override {
    SIGHTLINE_ASSIGN_OR_RETURN(const image::PixelRect region,
                               image::ResolveCrop(crop.value_or(image::CropBox{}), image.width, image.height,
                                                  image.original_width, image.original_height));
    const std::vector<PlaneSize> sizes = PlaneSizes(config_.preprocess, region.width, region.height);
    PreparedImage prepared;
    prepared.bucket = BucketName(sizes);
    for (const PlaneSize& size : sizes) {
      const image::Image resized = ResizePlane(config_.preprocess, image, region, size);
      prepared.planes.push_back(
          {size.height, size.width, image::ToChw(resized, config_.preprocess.mean, config_.preprocess.std)});
    }
    return prepared;
  }

  absl::StatusOr<std::vector<float>> Whiten(absl::Span<const float> descriptor) const override {
    if (!config_.whitening.has_value()) {
      return base::FailedPrecondition("NO_WHITENING", absl::StrCat("model ", config_.name,
                                                                   " does not end with a whitening. Embed the "
                                                                   "images again instead."));
    }
    const auto size = static_cast<size_t>(DescriptorDim(config_.backbone, config_.head));
    if (descriptor.size() != size) {
      return base::InvalidArgument("DESCRIPTOR_DIM",
                                   absl::StrCat("a descriptor of ", descriptor.size(),
                                                " values is to be whitened; the "
                                                "model takes ",
                                                size, ". Use one of the space without whitening."),
                                   {{"actual", absl::StrCat(descriptor.size())}, {"limit", absl::StrCat(size)}});
    }
    try {
      const c10::InferenceMode inference_mode;
      const torch::Tensor row = torch::empty({1, static_cast<int64_t>(size)});
      std::copy(descriptor.begin(), descriptor.end(), row.data_ptr<float>());
      const torch::Tensor whitened = network_->Finish(row.to(torch_device_)).to(torch::kCPU).contiguous();
      return std::vector<float>(whitened.data_ptr<float>(), whitened.data_ptr<float>() + whitened.numel());
    } catch (const std::exception& error) {
      return LibraryError("whitening a descriptor", error);
    }
  }

  image::CropBox SeenPart(int width, int height) const override {
    return model::SeenPart(config_.preprocess, width, height);
  }

  std::vector<PreparedImage> WarmUpImages() const override { return BlankImages(config_.preprocess); }

  absl::StatusOr<std::vector<Embedding>> Embed(absl::Span<const PreparedImage* const> batch) override {
    if (batch.empty()) return std::vector<Embedding>();
    if (on_card_ != nullptr) {
      SIGHTLINE_ASSIGN_OR_RETURN(const std::unique_ptr<Batch> started, Start(batch));
      return started->Finish();
    }
    SIGHTLINE_RETURN_IF_ERROR(CheckBatch(batch));
    try {
      images_ += static_cast<int64_t>(batch.size());
      const c10::InferenceMode inference_mode;
      if (intra_op_threads_ > 0) at::set_num_threads(intra_op_threads_);
      return RunInference(*network_, projection_, token_form_, config_, batch);
    } catch (const std::exception& error) {
      return LibraryError("embedding a batch", error);
    }
  }

  absl::StatusOr<std::unique_ptr<Batch>> Start(absl::Span<const PreparedImage* const> batch) override {
    if (on_card_ == nullptr || batch.empty()) return Model::Start(batch);
    SIGHTLINE_RETURN_IF_ERROR(CheckBatch(batch));
    const c10::InferenceMode inference_mode;
    return on_card_->Start(batch);
  }

  int depth() const override { return on_card_ != nullptr ? DeviceNetwork::kDepth : 1; }

  absl::StatusOr<Calibration> MeasuredCalibration() const override {
    if (!observer_) return Model::MeasuredCalibration();
    if (images_ == 0) {
      return base::FailedPrecondition("NOTHING_OBSERVED", "no image was embedded. Embed some, then ask again.");
    }
    return Calibration{.embedding_space = info_.embedding_space, .images = images_, .inputs = observer_->Scales()};
  }

 private:
  absl::Status Plan(const std::string& directory, const LoadOptions& options) {
    PlanOptions plan{.report = std::make_shared<PlanReport>()};
    if (options.observe) plan.observer = observer_ = std::make_shared<InputObserver>();
    const bool wanted = options.numeric == Numeric::kInt8 && !options.observe;
    if (wanted && engine::HasInt8()) {
      SIGHTLINE_ASSIGN_OR_RETURN(plan.calibration, LoadCalibration(directory, info_));
      plan.numeric = Numeric::kInt8;
    } else if (wanted) {
      base::Log(base::Severity::kWarning,
                "this machine has no AVX-512 VNNI; the model computes in fp32 instead of int8",
                {{"model", info_.name}});
    }
    PlanInference(*network_, plan);
    if (plan.numeric == Numeric::kInt8) LogInt8(info_.name, *plan.report);
    if (plan.report->int8_layers > 0) info_.numeric = "int8/cpu";
    return absl::OkStatus();
  }

  absl::Status MoveToCard(const LoadOptions& options) {
    if (options.numeric == Numeric::kInt8 || options.observe) {
      return base::InvalidArgument(
          "NUMERIC_NOT_ON_CARD", absl::StrCat("model ", info_.name, " is to compute in int8, or to be calibrated, on ",
                                              options.device.Name(), ". Do that on the CPU."));
    }
    SIGHTLINE_RETURN_IF_ERROR(CheckDevice(options.device));
    SIGHTLINE_ASSIGN_OR_RETURN(std::unique_ptr<Accelerator> card, OpenCard(options.device.index));
    const auto [type, name] = options.numeric == Numeric::kBf16   ? std::pair(torch::kBFloat16, "bf16/")
                              : options.numeric == Numeric::kFp16 ? std::pair(torch::kHalf, "fp16/")
                                                                  : std::pair(torch::kFloat, "fp32/");
    torch_device_ = card->device();
    on_card_ = std::make_unique<DeviceNetwork>(network_, projection_, token_form_, config_, std::move(card),
                                               DeviceNetwork::Options{.type = type});
    info_.numeric = name + options.device.Name();
    return absl::OkStatus();
  }

  std::string BareSpace(std::vector<NamedTensor> tensors) const {
    ModelConfig bare = config_;
    bare.whitening.reset();
    std::erase_if(tensors, [](const NamedTensor& tensor) { return absl::StartsWith(tensor.name, "whitening."); });
    return ComputeSpaces(bare, tensors, projection_).embedding;
  }

  void KeepTokensWhole() {
    token_form_.dim = Facts(config_.backbone).dim;
    token_form_.projection = TokenProjection::kStored;
    token_form_.precision = TokenPrecision::kFloat32;
    projection_ = torch::eye(token_form_.dim);
  }

  void Describe(const Spaces& spaces) {
    info_.name = config_.name;
    info_.architecture = absl::StrCat(TypeName(config_.backbone), " + ", TypeName(config_.head));
    info_.embedding_space = spaces.embedding;
    info_.token_space = spaces.token;
    info_.numeric = "fp32/cpu";
    info_.provenance = config_.provenance;
    info_.descriptor_dim = config_.descriptor_dim();
    info_.token_dim = config_.tokens.dim;
    info_.max_token_cells = config_.tokens.max_cells;
    info_.parameters = config_.parameters();
    info_.image_size = config_.preprocess.image_size;
    info_.rerank = config_.rerank;
    // Patches of a network that nobody has trained match by colour and chance: docs/performance.md has what it costs.
    if (info_.untrained && !config_.names_rerank_method) info_.rerank.method = RerankDefaults::Method::kOff;
    info_.scales.assign(config_.preprocess.scales.begin(), config_.preprocess.scales.end());
  }

  absl::Status CheckBatch(absl::Span<const PreparedImage* const> batch) const {
    for (const PreparedImage* const image : batch) {
      if (image->bucket != batch.front()->bucket) {
        return base::InvalidArgument("MIXED_BATCH",
                                     absl::StrCat("a batch holds images of buckets ", image->bucket, " and ",
                                                  batch.front()->bucket, ". Batch images of one bucket."));
      }
      bool whole = image->planes.size() == config_.preprocess.scales.size();
      for (size_t s = 0; whole && s < image->planes.size(); ++s) {
        const PreparedImage::Plane& plane = image->planes[s];
        const PreparedImage::Plane& first = batch.front()->planes[s];
        whole = plane.height > 0 && plane.width > 0 && plane.height == first.height && plane.width == first.width &&
                plane.chw.size() == size_t{3} * plane.height * plane.width;
      }
      if (!whole) {
        return base::InvalidArgument("FOREIGN_IMAGE",
                                     absl::StrCat("an image of bucket ", image->bucket,
                                                  " was not prepared by this model. Use the model's own Prepare."));
      }
    }
    return absl::OkStatus();
  }

  const ModelConfig config_;
  const int intra_op_threads_;
  const std::shared_ptr<Network> network_;
  TokensConfig token_form_;                  // what Embed gives; config_.tokens unless they are kept whole
  torch::Tensor projection_;                 // (D, Ct)
  std::shared_ptr<InputObserver> observer_;  // null unless loaded to observe
  int64_t images_ = 0;                       // embedded so far
  torch::Device torch_device_ = torch::kCPU;
  std::unique_ptr<DeviceNetwork> on_card_;  // null on the CPU
  ModelInfo info_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<Model>> Model::Load(const std::string& directory, const LoadOptions& options) {
  SIGHTLINE_ASSIGN_OR_RETURN(const std::string text,
                             base::ReadFile(absl::StrCat(directory, "/model.json"), kMaxConfigBytes));
  SIGHTLINE_ASSIGN_OR_RETURN(ModelConfig config, ParseModelConfig(text));
  try {
    auto model = std::make_unique<LoadedModel>(std::move(config), options.intra_op_threads);
    SIGHTLINE_RETURN_IF_ERROR(model->Fill(directory, options));
    return model;
  } catch (const std::exception& error) {
    return LibraryError("loading a model", error);
  }
}

}  // namespace sightline::model
