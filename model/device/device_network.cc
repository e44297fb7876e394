#include "model/device/device_network.h"

#include <algorithm>
#include <exception>
#include <iterator>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/log.h"
#include "base/status.h"
#include "model/device/autocast.h"
#include "model/device/device.h"
#include "model/preprocess/sizes.h"

namespace sightline::model {
namespace {

// Shapes that are remembered, so that a client who sends every size there is cannot fill memory with them.
constexpr size_t kMostShapes = 256;

absl::Status DeviceFailed(const std::exception& error) {
  const absl::string_view text = error.what();
  return base::Error(absl::StatusCode::kInternal, kDeviceFailed,
                     absl::StrCat("the device failed: ", text.substr(0, text.find('\n')),
                                  ". Try again; where it happens again, use another device, or --device cpu."));
}

absl::Status DoesNotFit(const torch::Device& device, const PreparedImage& image) {
  return base::Error(
      absl::StatusCode::kResourceExhausted, "DEVICE_MEMORY_FULL",
      absl::StrCat(device.str(), " has no memory left for one image of ", image.planes.front().width, " x ",
                   image.planes.front().height,
                   " pixels. Load fewer models on it, give the index less of it, or use another device."),
      {{"actual", image.bucket}});
}

std::vector<int64_t> PlaneSizesOf(absl::Span<const PreparedImage* const> images, size_t scale) {
  const PreparedImage::Plane& plane = images.front()->planes[scale];
  return {static_cast<int64_t>(images.size()), 3, plane.height, plane.width};
}

int64_t Product(torch::IntArrayRef sizes) {
  int64_t product = 1;
  for (const int64_t size : sizes) product *= size;
  return product;
}

}  // namespace

DeviceNetwork::Batch::~Batch() {
  // The device may still write into the slot's buffers.
  if (computed_ != nullptr) {
    try {
      computed_->Wait();
    } catch (const std::exception&) {
      // Nobody is left who would want to know.
    }
  }
  network_->slots_[slot_].used = false;
}

absl::StatusOr<std::vector<Embedding>> DeviceNetwork::Batch::Finish() {
  if (computed_ == nullptr) return std::move(embeddings_);
  const std::unique_ptr<Accelerator::Point> computed = std::move(computed_);
  try {
    computed->Wait();
    return ToEmbeddings(result_, network_->form_);
  } catch (const std::exception& error) {
    return DeviceFailed(error);
  }
}

DeviceNetwork::DeviceNetwork(std::shared_ptr<Network> network, const torch::Tensor& projection,
                             const TokensConfig& form, const ModelConfig& config,
                             std::unique_ptr<Accelerator> accelerator, const Options& options)
    : accelerator_(std::move(accelerator)),
      options_(options),
      form_(form),
      config_(config),
      network_(std::move(network)),
      projection_(projection.to(accelerator_->device())) {
  network_->to(accelerator_->device());
  PlanInference(*network_, {.settle = options_.type});
}

absl::StatusOr<std::unique_ptr<DeviceNetwork::Batch>> DeviceNetwork::Start(
    absl::Span<const PreparedImage* const> images) {
  const auto slot = std::find_if(slots_.begin(), slots_.end(), [](const Slot& one) { return !one.used; });
  if (slot == slots_.end()) {
    return base::FailedPrecondition("TOO_MANY_BATCHES", absl::StrCat(kDepth,
                                                                     " batches are under way, the most there "
                                                                     "may be. Finish one first."));
  }
  slot->used = true;
  auto batch = std::unique_ptr<Batch>(new Batch(this, static_cast<size_t>(slot - slots_.begin())));
  try {
    Launch(images, batch.get());
    return batch;
  } catch (const c10::OutOfMemoryError&) {
    GiveMemoryBack();
  } catch (const std::exception& error) {
    return DeviceFailed(error);
  }
  SIGHTLINE_ASSIGN_OR_RETURN(batch->embeddings_, ComputeInParts(images, batch.get()));
  return batch;
}

absl::StatusOr<std::vector<Embedding>> DeviceNetwork::ComputeInParts(absl::Span<const PreparedImage* const> images,
                                                                     Batch* batch) {
  std::vector<Embedding> embeddings;
  size_t most = images.size();
  while (embeddings.size() < images.size()) {
    const auto part = images.subspan(embeddings.size(), most);
    try {
      Launch(part, batch);
      batch->computed_->Wait();
      batch->computed_.reset();
      std::vector<Embedding> of_part = ToEmbeddings(batch->result_, form_);
      std::move(of_part.begin(), of_part.end(), std::back_inserter(embeddings));
    } catch (const c10::OutOfMemoryError&) {
      GiveMemoryBack();
      if (part.size() == 1) return DoesNotFit(accelerator_->device(), *part.front());
      most = (part.size() + 1) / 2;
    } catch (const std::exception& error) {
      return DeviceFailed(error);
    }
  }
  return embeddings;
}

void DeviceNetwork::GiveMemoryBack() {
  for (Shape& shape : shapes_) {
    shape.recording.reset();
    shape.planes.clear();
    shape.result = {};
    shape.uses = 0;
  }
  for (Slot& slot : slots_) {
    if (!slot.used) slot = {};
  }
  accelerator_->FreeUnused();
  if (!std::exchange(said_full_, true)) {
    base::Log(base::Severity::kWarning, "the device's memory is full; batches that do not fit are cut",
              {{"device", accelerator_->device().str()}});
  }
}

void DeviceNetwork::Launch(absl::Span<const PreparedImage* const> images, Batch* batch) {
  Slot& slot = slots_[batch->slot_];
  const size_t scales = config_.preprocess.scales.size();
  slot.host_planes.resize(scales);
  slot.planes.resize(scales);
  std::vector<torch::Tensor> planes;
  std::vector<Accelerator::Copy> copies;
  for (size_t scale = 0; scale < scales; ++scale) {
    const std::vector<int64_t> sizes = PlaneSizesOf(images, scale);
    const torch::Tensor host = StackPlanes(images, scale, Host(&slot.host_planes[scale], sizes));
    planes.push_back(OnDevice(&slot.planes[scale], sizes));
    copies.push_back({host, planes.back()});
  }
  accelerator_->Upload(copies);
  InferenceResult result;
  accelerator_->Compute([&] { result = Compute(planes, &ShapeOf(images)); });
  Download(result, batch);
}

InferenceResult DeviceNetwork::Compute(const std::vector<torch::Tensor>& planes, Shape* shape) {
  const bool small = planes.front().size(0) <= options_.most_recorded_images;
  if (small && !shape->cannot_record && shape->recording == nullptr && shape->uses >= options_.recorded_after) {
    Record(shape, planes);
  }
  ++shape->uses;
  if (shape->recording != nullptr) {
    for (size_t scale = 0; scale < planes.size(); ++scale) shape->planes[scale].copy_(planes[scale]);
    shape->recording->Play();
    return shape->result;
  }
  const Autocast autocast(accelerator_->device(), options_.type);
  return Infer(*network_, projection_, form_, config_, planes);
}

void DeviceNetwork::Record(Shape* shape, const std::vector<torch::Tensor>& planes) {
  if (recordings() >= options_.most_recordings) {
    const auto oldest =
        std::find_if(shapes_.rbegin(), shapes_.rend(), [](const Shape& one) { return one.recording != nullptr; });
    oldest->recording.reset();
    oldest->planes.clear();
    oldest->result = {};
    oldest->uses = 0;
  }
  shape->planes.clear();
  for (const torch::Tensor& plane : planes) shape->planes.push_back(torch::empty_like(plane));
  shape->recording = accelerator_->Record([this, shape] {
    const Autocast autocast(accelerator_->device(), options_.type);
    shape->result = Infer(*network_, projection_, form_, config_, shape->planes);
  });
  if (shape->recording != nullptr) return;
  shape->cannot_record = true;
  shape->planes.clear();
  shape->result = {};
}

void DeviceNetwork::Download(const InferenceResult& result, Batch* batch) {
  Slot& slot = slots_[batch->slot_];
  batch->result_.tokens.grid = result.tokens.grid;
  std::vector<Accelerator::Copy> copies;
  const auto add = [&](const torch::Tensor& from, torch::Tensor* buffer, torch::Tensor* to) {
    *to = Host(buffer, from.sizes());
    copies.push_back({from, *to});
  };
  add(result.descriptors, &slot.descriptors, &batch->result_.descriptors);
  add(result.tokens.tokens, &slot.tokens, &batch->result_.tokens.tokens);
  add(result.tokens.centres, &slot.centres, &batch->result_.tokens.centres);
  add(result.tokens.weights, &slot.weights, &batch->result_.tokens.weights);
  batch->computed_ = accelerator_->Download(copies);
}

DeviceNetwork::Shape& DeviceNetwork::ShapeOf(absl::Span<const PreparedImage* const> images) {
  const std::string name = absl::StrCat(images.size(), "x", images.front()->bucket);
  auto shape = std::find_if(shapes_.begin(), shapes_.end(), [&](const Shape& one) { return one.name == name; });
  if (shape == shapes_.end()) {
    if (shapes_.size() == kMostShapes) shapes_.pop_back();
    shapes_.emplace_front().name = name;
  } else {
    shapes_.splice(shapes_.begin(), shapes_, shape);
  }
  return shapes_.front();
}

torch::Tensor DeviceNetwork::Host(torch::Tensor* buffer, torch::IntArrayRef sizes) {
  const int64_t values = Product(sizes);
  if (!buffer->defined() || buffer->numel() < values) *buffer = accelerator_->HostTensor(values);
  return buffer->narrow(0, 0, values).view(sizes);
}

torch::Tensor DeviceNetwork::OnDevice(torch::Tensor* buffer, torch::IntArrayRef sizes) {
  const int64_t values = Product(sizes);
  if (!buffer->defined() || buffer->numel() < values) {
    *buffer = torch::empty({values}, torch::TensorOptions(accelerator_->device()));
  }
  return buffer->narrow(0, 0, values).view(sizes);
}

size_t DeviceNetwork::recordings() const {
  return static_cast<size_t>(
      std::count_if(shapes_.begin(), shapes_.end(), [](const Shape& shape) { return shape.recording != nullptr; }));
}

}  // namespace sightline::model
