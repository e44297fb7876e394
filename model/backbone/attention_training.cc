#include "model/backbone/attention_training.h"

#include <memory>

#include "model/engine/attention_gradient.h"

namespace sightline::model {
namespace {

// Query, key or value of a fused map.
template <class View, class Value>
View PartOf(Value* data, const engine::AttentionShape& shape, int64_t part) {
  const int64_t dim = shape.heads * shape.head_dim;
  return {.data = data + part * dim,
          .batch_stride = shape.keys * 3 * dim,
          .token_stride = 3 * dim,
          .head_stride = shape.head_dim};
}

engine::AttentionShape ShapeOf(const torch::Tensor& qkv, int64_t heads) {
  return {.batch = qkv.size(0),
          .heads = heads,
          .queries = qkv.size(1),
          .keys = qkv.size(1),
          .head_dim = qkv.size(2) / 3 / heads};
}

// Lives as long as training steps take memory from it.
std::shared_ptr<engine::BufferPool> Scratch() {
  thread_local const auto pool = std::make_shared<engine::BufferPool>();
  return pool;
}

class AttentionStep : public torch::autograd::Function<AttentionStep> {
 public:
  static torch::Tensor forward(torch::autograd::AutogradContext* context, const torch::Tensor& qkv, int64_t heads) {
    const torch::Tensor source = qkv.contiguous();
    context->save_for_backward({source});
    context->saved_data["heads"] = heads;
    const engine::AttentionShape shape = ShapeOf(source, heads);
    const float* const data = source.data_ptr<float>();
    torch::Tensor out = torch::empty({shape.batch, shape.queries, shape.heads * shape.head_dim});
    engine::Attend(Scratch(), PartOf<engine::HeadsView>(data, shape, 0), PartOf<engine::HeadsView>(data, shape, 1),
                   PartOf<engine::HeadsView>(data, shape, 2), shape, out.data_ptr<float>(), nullptr);
    return out;
  }

  static torch::autograd::tensor_list backward(torch::autograd::AutogradContext* context,
                                               torch::autograd::tensor_list out_gradients) {
    const torch::Tensor source = context->get_saved_variables()[0];
    const engine::AttentionShape shape = ShapeOf(source, context->saved_data["heads"].toInt());
    const float* const data = source.data_ptr<float>();
    const torch::Tensor out_gradient = out_gradients[0].contiguous();
    torch::Tensor gradient = torch::empty_like(source);
    float* const target = gradient.data_ptr<float>();
    engine::AttendGradient(Scratch(), PartOf<engine::HeadsView>(data, shape, 0),
                           PartOf<engine::HeadsView>(data, shape, 1), PartOf<engine::HeadsView>(data, shape, 2), shape,
                           out_gradient.data_ptr<float>(), PartOf<engine::HeadsTarget>(target, shape, 0),
                           PartOf<engine::HeadsTarget>(target, shape, 1),
                           PartOf<engine::HeadsTarget>(target, shape, 2));
    return {gradient, torch::Tensor()};
  }
};

}  // namespace

bool CanAttendTraining(const torch::Tensor& qkv) { return qkv.is_cpu() && qkv.scalar_type() == torch::kFloat; }

torch::Tensor AttendTraining(const torch::Tensor& qkv, int64_t heads) { return AttentionStep::apply(qkv, heads); }

}  // namespace sightline::model
