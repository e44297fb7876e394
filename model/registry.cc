#include "model/registry.h"

#include <string>
#include <variant>

#include "model/backbone/hybrid_vit.h"
#include "model/backbone/vit.h"
#include "model/head/dtop.h"

namespace sightline::model {
namespace {

struct BackboneBuilder {
  std::shared_ptr<Backbone> operator()(const VitConfig& config) const { return BuildVit(config); }
  std::shared_ptr<Backbone> operator()(const HybridVitConfig& config) const { return BuildHybridVit(config); }
};

struct HeadBuilder {
  int64_t token_dim;
  std::shared_ptr<Head> operator()(const DtopConfig& config) const { return std::make_shared<Dtop>(config, token_dim); }
};

}  // namespace

std::shared_ptr<Backbone> BuildBackbone(const BackboneConfig& config) { return std::visit(BackboneBuilder{}, config); }

std::shared_ptr<Head> BuildHead(const HeadConfig& config, int64_t token_dim) {
  return std::visit(HeadBuilder{token_dim}, config);
}

Network::Network(const BackboneConfig& backbone, const HeadConfig& head)
    : backbone_(register_module("backbone", BuildBackbone(backbone))),
      head_(register_module(std::string(TypeName(head)), BuildHead(head, Encoder(backbone).dim))) {}

}  // namespace sightline::model
