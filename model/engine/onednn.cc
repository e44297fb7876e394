#include "model/engine/onednn.h"

#include <cstring>

namespace sightline::model::engine {
namespace {

void AppendActivation(dnnl::post_ops& operations, Activation activation) {
  using dnnl::algorithm;
  switch (activation) {
    case Activation::kNone: return;
    case Activation::kRelu: return operations.append_eltwise(1, algorithm::eltwise_relu, 0, 0);
    case Activation::kRelu6: return operations.append_eltwise(1, algorithm::eltwise_clip, 0, 6);
    case Activation::kGelu: return operations.append_eltwise(1, algorithm::eltwise_gelu_erf, 0, 0);
    case Activation::kQuickGelu: return operations.append_eltwise(1, algorithm::eltwise_swish, 1.702f, 0);
  }
}

// Of the calling thread: a stream must not be shared.
dnnl::stream& Stream() {
  thread_local dnnl::stream stream(CpuEngine());
  return stream;
}

}  // namespace

const dnnl::engine& CpuEngine() {
  static const dnnl::engine engine(dnnl::engine::kind::cpu, 0);
  return engine;
}

dnnl::primitive_attr Attributes(const Epilogue& epilogue) {
  dnnl::post_ops operations;
  if (epilogue.add) operations.append_sum(1);
  AppendActivation(operations, epilogue.activation);
  dnnl::primitive_attr attributes;
  attributes.set_post_ops(operations);
  attributes.set_scratchpad_mode(dnnl::scratchpad_mode::user);
  return attributes;
}

PackedWeights::Copy PackedWeights::Make(const dnnl::memory::desc& desc) {
  Copy copy;
  copy.memory = Allocate(desc.get_size());
  copy.view = dnnl::memory(desc, CpuEngine(), copy.memory.get());
  return copy;
}

PackedWeights::PackedWeights(const void* plain, const dnnl::memory::desc& desc, Plain after)
    : handed_out_(after == Plain::kKeep) {
  copies_.push_back(Make(desc));
  std::memcpy(copies_.front().memory.get(), plain, desc.get_size());
}

const dnnl::memory& PackedWeights::In(const dnnl::memory::desc& desc) {
  for (const Copy& copy : copies_) {
    if (copy.view.get_desc() != desc) continue;
    handed_out_ = true;
    return copy.view;
  }
  Copy copy = Make(desc);
  dnnl::memory from = copies_.front().view;
  dnnl::reorder(from, copy.view).execute(Stream(), from, copy.view);
  Stream().wait();
  if (!handed_out_) copies_.clear();
  handed_out_ = true;
  copies_.push_back(std::move(copy));
  return copies_.back().view;
}

void Run(Prepared& prepared, const std::shared_ptr<BufferPool>& pool, const void* source, void* destination) {
  // oneDNN reads a source through a pointer that is not const.
  prepared.source.set_data_handle(const_cast<void*>(source));
  prepared.destination.set_data_handle(destination);
  Buffer scratch;
  if (const size_t bytes = prepared.scratch.get_desc().get_size(); bytes > 0) {
    scratch = BufferPool::Take(pool, bytes);
    prepared.scratch.set_data_handle(scratch.data());
  }
  prepared.primitive.execute(Stream(), prepared.arguments);
  Stream().wait();
}

}  // namespace sightline::model::engine
