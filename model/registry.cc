#include "model/registry.h"

#include <string>
#include <variant>

#include "model/backbone/cvt.h"
#include "model/backbone/hybrid_vit.h"
#include "model/backbone/resnet.h"
#include "model/backbone/swin.h"
#include "model/backbone/vgg.h"
#include "model/backbone/vit.h"
#include "model/head/class_token.h"
#include "model/head/dolg.h"
#include "model/head/dtop.h"
#include "model/head/glam.h"
#include "model/head/netvlad.h"
#include "model/head/pool.h"
#include "model/head/shared_map.h"

namespace sightline::model {
namespace {

struct BackboneBuilder {
  std::shared_ptr<Backbone> operator()(const VitConfig& config) const { return BuildVit(config); }
  std::shared_ptr<Backbone> operator()(const HybridVitConfig& config) const { return BuildHybridVit(config); }
  std::shared_ptr<Backbone> operator()(const ResnetConfig& config) const { return std::make_shared<Resnet>(config); }
  std::shared_ptr<Backbone> operator()(const VggConfig& config) const { return std::make_shared<Vgg>(config); }
  std::shared_ptr<Backbone> operator()(const SwinConfig& config) const { return BuildSwin(config); }
  std::shared_ptr<Backbone> operator()(const CvtConfig& config) const { return BuildCvt(config); }
};

struct HeadBuilder {
  BackboneFacts backbone;
  std::shared_ptr<Head> operator()(const DtopConfig& config) const {
    return std::make_shared<Dtop>(config, backbone.dim);
  }
  std::shared_ptr<Head> operator()(const PoolConfig& config) const {
    return std::make_shared<PoolHead>(config, backbone.dim);
  }
  std::shared_ptr<Head> operator()(const DelgConfig& config) const { return (*this)(config.pool()); }
  std::shared_ptr<Head> operator()(const SolarConfig& config) const { return (*this)(config.pool()); }
  std::shared_ptr<Head> operator()(const ClassTokenConfig& config) const {
    return std::make_shared<ClassTokenHead>(config, backbone.dim);
  }
  std::shared_ptr<Head> operator()(const LinearConfig& config) const {
    return std::make_shared<LinearHead>(config, backbone.dim);
  }
  std::shared_ptr<Head> operator()(const DimlConfig& config) const {
    return std::make_shared<DimlHead>(config, backbone.dim);
  }
  std::shared_ptr<Head> operator()(const GlamConfig& config) const {
    return std::make_shared<Glam>(config, backbone.dim);
  }
  std::shared_ptr<Head> operator()(const NetvladConfig& config) const {
    return std::make_shared<Netvlad>(config, backbone.dim);
  }
  std::shared_ptr<Head> operator()(const DolgConfig& config) const {
    return std::make_shared<Dolg>(config, backbone.maps[backbone.maps.size() - 2], backbone.dim);
  }
};

}  // namespace

std::shared_ptr<Backbone> BuildBackbone(const BackboneConfig& config) { return std::visit(BackboneBuilder{}, config); }

std::shared_ptr<Head> BuildHead(const HeadConfig& config, const BackboneFacts& backbone) {
  return std::visit(HeadBuilder{backbone}, config);
}

Network::Network(const BackboneConfig& backbone, const HeadConfig& head,
                 const std::optional<WhiteningConfig>& whitening)
    : needs_(Facts(head)),
      backbone_(register_module("backbone", BuildBackbone(backbone))),
      head_(register_module(std::string(TypeName(head)), BuildHead(head, Facts(backbone)))) {
  if (!whitening.has_value()) return;
  whitening_ = register_module("whitening", std::make_shared<Whitening>(DescriptorDim(backbone, head), whitening->dim));
}

torch::Tensor Network::Finish(const torch::Tensor& merged) const {
  return whitening_ == nullptr ? merged : whitening_->Forward(merged);
}

}  // namespace sightline::model
