import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('serving', '0005_deployments_are_of_the_first_question'),
    ]

    operations = [
        migrations.AlterField(
            model_name='deployment',
            name='question',
            field=models.OneToOneField(on_delete=django.db.models.deletion.CASCADE, related_name='deployment', to='labelling.question'),
        ),
    ]
