import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('labelling', '0004_suggest_answers_to_further_questions'),
        ('serving', '0003_say_what_a_decision_may_be'),
    ]

    operations = [
        migrations.AlterModelOptions(
            name='deployment',
            options={'ordering': ['question__position', 'question_id']},
        ),
        migrations.AddField(
            model_name='deployment',
            name='question',
            field=models.OneToOneField(null=True, on_delete=django.db.models.deletion.CASCADE, related_name='deployment', to='labelling.question'),
        ),
        migrations.AlterField(
            model_name='deployment',
            name='project',
            field=models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='deployments', to='labelling.project'),
        ),
    ]
