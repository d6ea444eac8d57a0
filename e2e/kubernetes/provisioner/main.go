// Volumes of the test cluster: a folder on the node that the pod was given to, removed with the volume.
//
//	provisioner KUBECONFIG DIR     a volume is DIR/<node>/disks/<volume>
//
// Whoever empties such a folder has lost a disk; whoever removes a node's folder has lost all of that node's.
package main

import (
	"context"
	"errors"
	"log"
	"os"
	"path/filepath"

	core "k8s.io/api/core/v1"
	meta "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"
	"sigs.k8s.io/sig-storage-lib-external-provisioner/v13/controller"
)

const name = "coordd.dev/disk"

// The folder that holds a folder for each node.
type nodes string

func (n nodes) Provision(_ context.Context, want controller.ProvisionOptions) (*core.PersistentVolume, controller.ProvisioningState, error) {
	if want.SelectedNodeName == "" {
		return nil, controller.ProvisioningFinished, errors.New("the storage class must wait for the first consumer")
	}
	path := filepath.Join(string(n), want.SelectedNodeName, "disks", want.PVName)
	if err := os.MkdirAll(path, 0o777); err != nil {
		return nil, controller.ProvisioningFinished, err
	}
	here := core.NodeSelectorRequirement{Key: core.LabelHostname, Operator: core.NodeSelectorOpIn, Values: []string{want.SelectedNodeName}}
	term := core.NodeSelectorTerm{MatchExpressions: []core.NodeSelectorRequirement{here}}
	volume := &core.PersistentVolume{ObjectMeta: meta.ObjectMeta{Name: want.PVName}}
	volume.Spec = core.PersistentVolumeSpec{
		AccessModes:                   want.PVC.Spec.AccessModes,
		Capacity:                      want.PVC.Spec.Resources.Requests,
		PersistentVolumeReclaimPolicy: *want.StorageClass.ReclaimPolicy,
		PersistentVolumeSource:        core.PersistentVolumeSource{Local: &core.LocalVolumeSource{Path: path}},
		NodeAffinity:                  &core.VolumeNodeAffinity{Required: &core.NodeSelector{NodeSelectorTerms: []core.NodeSelectorTerm{term}}},
	}
	return volume, controller.ProvisioningFinished, nil
}

func (nodes) Delete(_ context.Context, volume *core.PersistentVolume) error {
	return os.RemoveAll(volume.Spec.Local.Path)
}

func main() {
	if len(os.Args) != 3 {
		log.Fatal("usage: provisioner KUBECONFIG DIR")
	}
	config, err := clientcmd.BuildConfigFromFlags("", os.Args[1])
	if err != nil {
		log.Fatal(err)
	}
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		log.Fatal(err)
	}
	ctx := context.Background()
	controller.NewProvisionController(ctx, client, name, nodes(os.Args[2]), controller.LeaderElection(false)).Run(ctx)
}
